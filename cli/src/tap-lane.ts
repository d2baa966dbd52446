/**
 * One lane, looked at from both its ends: its messages, as they are stored, and what its sink says of the records that
 * it has just delivered. What the sink says leads: its messages are fetched, so that both can be laid side by side. Where
 * nothing is delivered, the messages are shown by themselves, and the sink's part follows when it comes.
 *
 * It samples: the first records of a message, and not all messages where many come.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { askControl, type Bus, type LaneBatch, type LaneName, peekLane, type ServiceName } from '@millrace/bus'
import { samplesPerMessage } from '@millrace/lane'
import { BatchError, recordOf, RecordSetReader } from '@millrace/record'
import { z } from 'zod'
import { CommandError } from './errors.ts'
import { accepted } from './installation.ts'
import { findActor, type FoundActor } from './snapshot.ts'
import type { SunkRecord, Tapped } from './tap-text.ts'

/** How long a sink that is there takes to answer at most; it waits for records itself. Milliseconds. */
const patience = 10_000
/** How long to wait where there is no sink to ask. */
const between = 1_000
/** How many messages are read at a time (each may have 1 MB), and what a compressed batch may come to. */
const most = { messages: 4, bytes: 256 * 2 ** 20 }

const base64 = z.base64().transform(text => Buffer.from(text, 'base64'))
const answer = z.object({
  samples: z.array(
    z.object({
      sequence: z.number(),
      record: z.number(),
      outcome: z.enum(['delivered', 'filtered', 'dead']),
      problem: z.object({ code: z.string(), message: z.string() }).optional(),
      to: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
      key: base64.nullable().optional(),
      headers: z.array(z.tuple([z.string(), base64.nullable()])).optional(),
    }),
  ),
})
type Sample = z.infer<typeof answer>['samples'][number]

/** What a lane is looked at with. */
export interface LaneTapOptions {
  bus: Bus
  lane: LaneName
  sinkService: ServiceName
  /** Told, in a sentence, why nothing comes. */
  tell: (text: string) => void
  signal: AbortSignal
}

export class LaneTap {
  readonly #options: LaneTapOptions
  readonly #actor: string
  /** The last messages of which was shown what is stored, and what the sink made of it. */
  #stored = 0
  #sunk = 0
  /** The sink, as it was found last; looked for again when it told nothing. */
  #sink: FoundActor | undefined
  #told: string | undefined

  private constructor(options: LaneTapOptions) {
    this.#options = options
    this.#actor = `sink.${options.lane.route}.${options.lane.lane}`
  }

  /** Begins at the lane's newest message. */
  static async open(options: LaneTapOptions): Promise<LaneTap> {
    const tap = new LaneTap(options)
    tap.#sunk = (await peekLane(options.bus, options.lane, 'last'))?.sequence ?? 0
    tap.#stored = Math.max(0, tap.#sunk - 1)
    return tap
  }

  /** What is new, after a few seconds at most. Rejects where NATS can't be asked, and where the signal aborts. */
  async next(): Promise<Tapped[]> {
    const samples = await this.#ask()
    return samples.length > 0 ? await this.#sideBySide(samples) : await this.#byThemselves()
  }

  async #sideBySide(samples: readonly Sample[]): Promise<Tapped[]> {
    const tapped: Tapped[] = []
    const messages = [...Map.groupBy(samples, one => one.sequence)]
    for (const [sequence, made] of messages.slice(-most.messages)) {
      const stored = sequence > this.#stored ? await this.#read({ sequence }) : []
      const sunk = made.map(sample => ({ ...this.#place(sequence, sample.record), sink: sunkOf(sample) }))
      tapped.push(...merged(stored, sunk))
      this.#sunk = sequence
      this.#stored = Math.max(this.#stored, sequence)
    }
    return tapped
  }

  async #byThemselves(): Promise<Tapped[]> {
    const tapped: Tapped[] = []
    for (let left = most.messages; left > 0; left--) {
      const message = await peekLane(this.#options.bus, this.#options.lane, { after: this.#stored })
      if (message === undefined) break
      this.#stored = message.sequence
      tapped.push(...this.#decode(message))
    }
    return tapped
  }

  async #read(at: { sequence: number }): Promise<Tapped[]> {
    const message = await peekLane(this.#options.bus, this.#options.lane, at)
    return message === undefined ? [] : this.#decode(message)
  }

  #decode({ sequence, payload, count, part, source }: LaneBatch): Tapped[] {
    if (part !== undefined) {
      const problem = `part ${part} of a record that is larger than one message: it is not shown`
      return [{ ...this.#place(sequence, 0), stored: { problem } }]
    }
    const tapped: Tapped[] = []
    const reader = new RecordSetReader({ maxBytes: most.bytes })
    try {
      reader.open(payload, count)
      while (tapped.length < samplesPerMessage && reader.next()) {
        const offset = source === undefined ? {} : { offset: String(reader.offset) }
        tapped.push({ ...this.#place(sequence, tapped.length), stored: { ...recordOf(reader.view), ...offset } })
      }
    } catch (error) {
      if (!(error instanceof BatchError)) throw error
      tapped.push({ ...this.#place(sequence, tapped.length), stored: { problem: `no record batch: ${error.message}` } })
    }
    return tapped
  }

  /** What the sink has made of the messages after the last that it told of; none where it can't be asked. */
  async #ask(): Promise<Sample[]> {
    const { bus, sinkService: service, signal } = this.#options
    const sink = this.#sink ?? (await findActor(bus, service, this.#actor))
    this.#sink = undefined
    if (sink === undefined) this.#tell('no instance runs it; see millrace status')
    else {
      const { instance, report } = sink
      if (report.problem !== undefined) this.#tell(`${report.state}: ${report.problem.message}`)
      const request = { op: 'tap', actor: this.#actor, after: this.#sunk }
      try {
        const reply = accepted(await askControl(bus, { service, instance, timeout: patience }, request))
        const { samples } = answer.parse(reply)
        if (samples.length > 0) this.#sink = sink
        return samples
      } catch (error) {
        signal.throwIfAborted()
        this.#tell(error instanceof CommandError ? error.message : 'its instance does not answer')
      }
    }
    await wait(between, undefined, { signal })
    return []
  }

  /** Once, until there is something else to tell. */
  #tell(text: string): void {
    if (text !== this.#told) this.#options.tell(`the sink of lane ${this.#options.lane.lane}: ${text}`)
    this.#told = text
  }

  #place(message: number, record: number): Pick<Tapped, 'lane' | 'message' | 'record'> {
    return { lane: this.#options.lane.lane, message, record }
  }
}

function sunkOf({ outcome, problem, to, key, headers }: Sample): SunkRecord {
  return {
    outcome,
    ...(problem && { problem: `${problem.code}: ${problem.message}` }),
    ...(to && { to }),
    ...(key === undefined ? {} : { key }),
    ...(headers && { headers }),
  }
}

/** The records of one message, each with what is known of it. */
function merged(stored: readonly Tapped[], sunk: readonly Tapped[]): Tapped[] {
  const sunkAt = new Map(sunk.map(one => [one.record, one]))
  const both = stored.map(one => ({ ...one, ...sunkAt.get(one.record) }))
  const alone = sunk.filter(one => stored.every(({ record }) => record !== one.record))
  return [...both, ...alone]
}
