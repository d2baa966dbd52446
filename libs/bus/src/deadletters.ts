/**
 * Dead letters (R7): records that can never pass, kept whole and durable, one message each (or several parts), with
 * the reason and the place.
 */
import type { JetStreamPublishOptions } from '@nats-io/jetstream'
import { headers, type MsgHdrs } from '@nats-io/nats-core'
import { HoldError } from './errors.ts'
import { deadLetterStream, deadLetterSubject, type LaneName } from './names.ts'
import { type Owner, persist } from './persist.ts'
import { isFull } from './refusals.ts'
import { streamInfo } from './streams.ts'

/** What can't pass. */
export interface DeadLetter {
  /** A record batch that holds the record, or the lane's batch as it stands where it could not be decoded. */
  payload: Buffer
  /** How many records that is. */
  count: number
  /** Snake case, e.g. `too_large`: `mr-reason`. */
  reason: string
  /** A sentence for people: `mr-detail`. */
  detail: string
  /** `mr-source`: what is constant in the lane. */
  source?: string
  /** What no other dead letter of this service and route has; the same one again, soon after, is not stored twice. */
  id: string
}

/** Stores dead letters of one lane: those of its source, or of its sink, as `lane.service` says. */
export class DeadLetters {
  readonly #owner: Owner
  readonly #stream: string
  readonly #subject: string
  readonly #lane: LaneName

  constructor(owner: Owner, lane: LaneName) {
    this.#owner = owner
    this.#lane = lane
    this.#stream = deadLetterStream(lane.route)
    this.#subject = deadLetterSubject(lane)
  }

  /**
   * Resolves when the dead letter is durable, however long that takes: a full stream holds the lane. Rejects with
   * PermissionError, StoppedError, or JetStreamApiError where there is no such stream.
   */
  async store(letter: DeadLetter): Promise<void> {
    const detail = oneLine(letter.detail)
    const around = 2_048 + Buffer.byteLength(detail) + Buffer.byteLength(letter.source ?? '')
    const room = this.#owner.bus.maxMessage - around
    const parts = Math.max(1, Math.ceil(letter.payload.length / room))
    const bytes = letter.payload.length + parts * around
    // The first parts of one that does not fit would only take the room of others.
    if (parts > 1) await persist(this.#owner, this.#stream, () => this.#checkRoom(bytes))
    for (let part = 1; part <= parts; part++) {
      const header = headersOf({ ...letter, detail }, parts > 1 ? `${part}/${parts}` : undefined)
      const payload = letter.payload.subarray((part - 1) * room, part * room)
      const msgID = `${this.#lane.service}.${this.#lane.lane}.${letter.id}.${part}`
      await persist(this.#owner, this.#stream, () => this.#publish(payload, { headers: header, msgID }, bytes))
    }
  }

  async #publish(payload: Buffer, options: Partial<JetStreamPublishOptions>, bytes: number): Promise<void> {
    const { bus } = this.#owner
    try {
      await bus.call(bus.js.publish(this.#subject, payload, options))
    } catch (error) {
      if (isFull(error)) await this.#checkRoom(bytes)
      throw error
    }
  }

  /** Throws HoldError where there is no room for so many bytes, with what to do about it. */
  async #checkRoom(bytes: number): Promise<void> {
    const info = await streamInfo(this.#owner.bus, this.#stream)
    if (info === undefined) return
    const { state, config } = info
    if (config.max_bytes < 0 || state.bytes + bytes <= config.max_bytes) return
    const message = `${this.#stream} has no room for a dead letter of ${bytes} bytes: it holds ${state.bytes} of ${config.max_bytes}. Give route ${this.#lane.route} a larger deadLetters.maxBytes, or take away what nobody needs there; until then the lane waits.`
    throw new HoldError({ code: 'stream_full', message })
  }
}

function headersOf({ reason, detail, count, source }: DeadLetter, part: string | undefined): MsgHdrs {
  const header = headers()
  header.set('mr-reason', reason)
  header.set('mr-detail', detail)
  header.set('mr-count', String(count))
  if (source !== undefined) header.set('mr-source', source)
  if (part !== undefined) header.set('mr-part', part)
  return header
}

/** A header's value is one line, and short enough for the server. */
const oneLine = (text: string): string => text.replace(/[\r\n]+/g, ' ').slice(0, 1_000)
