/**
 * Looking in on a sink (`millrace tap`): samples of what becomes of a lane's records. They are kept for a while after
 * each question, so that the next one finds what happened in between. While nobody asks, nothing is copied or kept.
 */
import { delay } from '@millrace/actor'
import type { LaneBatch } from '@millrace/bus'
import { recordOf, type RecordView } from '@millrace/record'
import type { Aside } from './aside.ts'
import type { Made, Problem } from './ports.ts'

/** Of each message, this many records are sampled, the first ones: who looks at the lane can show the same. */
export const samplesPerMessage = 4

/** The newest samples that are kept, and what they may take together: keys and headers, in base64. */
const most = { samples: 32, length: 256 * 1024 }
/** How long somebody counts as looking after a question, and how long an answer waits for something to tell; ms. */
const attention = 10_000
const patience = 2_000

/** What became of one record. JSON: bytes are in base64. */
export interface Sample {
  /** The message of the lane that holds it, and which of its records it is, from 0. */
  sequence: number
  record: number
  outcome: 'delivered' | 'filtered' | 'dead'
  /** Why it is dead, or what is not sure of its delivery. */
  problem?: Problem
  /** Of what the sink had a place for: where it went, and its key and headers as they went there. */
  to?: Made['to']
  key?: string | null
  headers?: [name: string, value: string | null][]
}

/** One lane's, for one run of its sink. */
export class Tap {
  #until = 0
  #kept: Sample[] = []
  #came = Promise.withResolvers<void>()

  /** What samples the delivery that begins now; undefined while nobody looks. */
  begin(): Sampling | undefined {
    if (performance.now() < this.#until) return new Sampling()
    this.#kept = []
    return undefined
  }

  /** A delivery is settled. */
  keep(samples: readonly Sample[]): void {
    this.#kept = newest([...this.#kept, ...samples])
    if (this.#kept.length === 0) return
    this.#came.resolve()
    this.#came = Promise.withResolvers()
  }

  /**
   * The newest samples of messages after this one, in the lane's order, as soon as there are any; none where nothing is
   * delivered for 2 s, or the signal aborts.
   */
  async after(sequence: number, signal: AbortSignal): Promise<Sample[]> {
    this.#until = performance.now() + attention
    const found = () => this.#kept.filter(sample => sample.sequence > sequence)
    if (found().length === 0) {
      const enough = new AbortController()
      await Promise.race([this.#came.promise, delay(patience, AbortSignal.any([signal, enough.signal]))])
      enough.abort()
    }
    return found()
  }

  /** Answers `{after: sequence}` with `{samples}`. */
  async answer({ after }: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<{ samples: Sample[] }> {
    return { samples: await this.after(typeof after === 'number' ? after : 0, signal) }
  }
}

/** A record of a delivery, as the sink sees it. */
interface Standing {
  batch: LaneBatch
  record: number
  view: RecordView
}

/** The samples of one delivery. */
export class Sampling {
  readonly #samples: Sample[] = []

  /** The filter left a record out. */
  filtered({ sequence }: LaneBatch, record: number): void {
    if (record < samplesPerMessage) this.#samples.push({ sequence, record, outcome: 'filtered' })
  }

  /** The sink has a place for a record; `made` is asked only where that is sampled. */
  made({ batch: { sequence }, record, view }: Standing, made: () => Made): void {
    if (record >= samplesPerMessage) return
    const { to, headers: others } = made()
    const { key, headers } = others === undefined ? recordOf(view) : { key: null, headers: others }
    const encoded = headers.map(([name, value]): [string, string | null] => [name, encode(value)])
    this.#samples.push({ sequence, record, outcome: 'delivered', to, key: encode(key), headers: encoded })
  }

  /** All of them in the lane's order, once it is known what can never pass and how many were too late. */
  settled(aside: readonly Aside[], expired: number): Sample[] {
    if (expired > 0)
      for (const sample of this.#samples) if (sample.outcome === 'delivered') sample.problem = late(expired)
    for (const { batch, record, problem } of aside) {
      const { sequence } = batch
      const found = this.#samples.find(sample => sample.sequence === sequence && sample.record === record)
      if (found !== undefined) Object.assign(found, { outcome: 'dead', problem })
      else if (record < samplesPerMessage) this.#samples.push({ sequence, record, outcome: 'dead', problem })
    }
    return this.#samples.sort((a, b) => a.sequence - b.sequence || a.record - b.record)
  }
}

const encode = (bytes: Buffer | null): string | null => bytes && bytes.toString('base64')

/** A sink counts what was too late, and does not say which it was. */
const late = (expired: number): Problem => ({
  code: 'expired',
  message: `${expired} records of its delivery were not sent because their time had passed; it may be one of them.`,
})

/** As many of the last as may be kept. One that is too large by itself is left out. */
function newest(samples: readonly Sample[]): Sample[] {
  let left = most.length
  const last = samples.slice(-most.samples)
  const tooOld = last.findLastIndex(sample => (left -= lengthOf(sample)) < 0)
  return last.slice(tooOld + 1)
}

const lengthOf = ({ key, headers = [] }: Sample): number =>
  headers.reduce((sum, [name, value]) => sum + name.length + (value?.length ?? 0), key?.length ?? 0)
