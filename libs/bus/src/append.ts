/**
 * The writer's side of a lane (R3, R4).
 *
 * Opening: read the lane's last message; ask the source where it goes on from there; append the opening batch behind
 * it. From then on nobody with an older epoch can append any more.
 *
 * Every append names the sequence that it must follow, so it is stored once or not at all, however often it is sent,
 * and however late a copy of it arrives. An append that was refused for its place is settled by the lane's last
 * message, as the stream's leader has it:
 *
 *   the sequence that I expected      nothing came in between: send again
 *   my writer, base, count and part   it was stored: go on
 *   a newer epoch                     FencedError
 *   an older epoch, while I open      what I read at first was not the end yet: open again behind it
 *   my epoch, another writer          this process opened the lane again: the later opening wins. While I open: again,
 *                                     behind it (what an earlier run had under way has landed). Else: FencedError
 *   anything else                     AlarmError
 *
 * What is neither stored nor refused for its place (no answer, no connection, a full stream, a full disk) is tried
 * again for ever, and told.
 */
import { nuid } from '@nats-io/nats-core'
import { AlarmError, FencedError, UnknownOutcomeError } from './errors.ts'
import { checkStream, encodeHeader, headerBytes, type LaneEnd, type LaneHeader, readEnd } from './message.ts'
import { dataStream, type LaneName, laneSubject } from './names.ts'
import { type Owner, persist } from './persist.ts'
import { isWrongLastSequence } from './refusals.ts'

/** Which lane to open, and for whom. */
export interface AppenderOptions extends Owner {
  lane: LaneName
  /** The route's uid, which the stream must have. */
  uid: string
  epoch: number
  /** `mr-source` of every message: what is constant in the lane. */
  source?: string
  /**
   * Where the source goes on: it is given its last position in this lane (undefined: the lane is new, so it resolves
   * its start) and returns the opening batch's. Asked again where an older writer's append landed meanwhile.
   */
  start: (previous: string | undefined) => string | Promise<string>
}

/** A batch to append. */
export interface Append {
  /** A record batch, of any size. */
  payload: Buffer
  count: number
  /** Where the source goes on after this batch. */
  position: string
  firstTime?: number
  traceparent?: string
}

/** Opens a lane. FencedError where a newer epoch has it, AlarmError, PermissionError, StoppedError. */
export async function openLane(options: AppenderOptions): Promise<LaneAppender> {
  const appender = new LaneAppender(options)
  await appender.open()
  return appender
}

/** A lane that is open for writing. One append at a time: the next one when the last has resolved. */
export class LaneAppender {
  /** The position that the lane held before this opening; undefined: it was new. */
  previous: string | undefined
  readonly #options: AppenderOptions
  readonly #writer = nuid.next()
  readonly #stream: string
  readonly #subject: string
  /** The sequence that the next append must follow, and how many records are before it. */
  #sequence = 0
  #base = 0
  #position = ''

  constructor(options: AppenderOptions) {
    this.#options = options
    this.#stream = dataStream(options.lane.route)
    this.#subject = laneSubject(options.lane)
  }

  /** How many records the lane holds, from its beginning. */
  get records(): number {
    return this.#base
  }

  /** The position that the lane holds now. */
  get position(): string {
    return this.#position
  }

  /** Called once, by `openLane`. */
  async open(): Promise<void> {
    const { bus, lane, uid, start } = this.#options
    await persist(this.#options, this.#stream, () => checkStream(bus, lane, uid))
    let end = await persist(this.#options, this.#stream, () => readEnd(bus, lane))
    for (;;) {
      if (end !== undefined && end.epoch > this.#options.epoch) throw fenced(lane, end)
      this.previous = end?.position
      this.#sequence = end?.sequence ?? 0
      this.#base = end === undefined ? 0 : end.base + end.count
      this.#position = await start(this.previous)
      const header = this.#header({ count: 0, position: this.#position })
      const overtaken = await this.#store(header, Buffer.alloc(0), true)
      if (overtaken === undefined) return
      end = overtaken
    }
  }

  /**
   * Stores a batch, in parts where it is too large for one message. Resolves when it is durable. FencedError,
   * AlarmError, PermissionError, StoppedError: nothing more can be appended.
   */
  async append({ payload, ...batch }: Append): Promise<void> {
    const whole = this.#header(batch)
    // All parts but the last have the position before this batch.
    const headers = Math.max(headerBytes(whole), headerBytes({ ...whole, position: this.#position }))
    const room = this.#options.bus.maxMessage - headers
    const parts = Math.ceil(payload.length / room)
    for (let part = 1; part < parts; part++) {
      const header = { ...whole, count: 0, position: this.#position, part: `${part}/${parts}` }
      await this.#store(header, payload.subarray((part - 1) * room, part * room), false)
    }
    const last = parts > 1 ? { ...whole, part: `${parts}/${parts}` } : whole
    await this.#store(last, parts > 1 ? payload.subarray((parts - 1) * room) : payload, false)
    this.#base += batch.count
    this.#position = batch.position
  }

  #header(batch: Omit<Append, 'payload'>): LaneHeader {
    const { epoch, source } = this.#options
    return { ...batch, epoch, writer: this.#writer, base: this.#base, ...(source === undefined ? {} : { source }) }
  }

  /** Returns when the message is stored; while opening, also with the lane's end where that was not where it seemed. */
  async #store(header: LaneHeader, payload: Buffer, opening: boolean): Promise<LaneEnd | undefined> {
    const { bus } = this.#options
    return persist(this.#options, this.#stream, async () => {
      const expect = { lastSubjectSequence: this.#sequence }
      try {
        const ack = await bus.call(bus.js.publish(this.#subject, payload, { headers: encodeHeader(header), expect }))
        this.#sequence = ack.seq
        return undefined
      } catch (error) {
        if (!isWrongLastSequence(error)) throw error
        return this.#settle(header, opening)
      }
    })
  }

  /** The table at the head of this file. */
  async #settle(sent: LaneHeader, opening: boolean): Promise<LaneEnd | undefined> {
    const { bus, lane, epoch } = this.#options
    const end = await readEnd(bus, lane)
    if (end?.sequence === this.#sequence)
      throw new UnknownOutcomeError('The append was refused, and may be sent again.')
    if (end !== undefined && end.sequence > this.#sequence) {
      const mine = end.writer === this.#writer
      if (mine && end.base === sent.base && end.count === sent.count && end.part === sent.part) {
        this.#sequence = end.sequence
        return undefined
      }
      if (opening && !mine && end.epoch <= epoch) return end
      if (end.epoch > epoch || (end.epoch === epoch && !mine)) throw fenced(lane, end)
    }
    const found = end === undefined ? 'nothing' : `message ${end.sequence} of epoch ${end.epoch}`
    throw new AlarmError(
      'lane_conflict',
      `${this.#subject} should end with message ${this.#sequence}, and ends with ${found}. Somebody else writes there, ` +
        'or the stream was restored from an older copy.',
    )
  }
}

const fenced = ({ route, lane }: LaneName, { epoch }: LaneEnd): FencedError =>
  new FencedError(`Lane ${lane} of route ${route} has an owner with epoch ${epoch}.`)
