/**
 * Dead letters (R7): records that can never pass, kept whole and durable, one message each (or several parts), with
 * the reason and the place.
 */
import { headers } from '@nats-io/nats-core'
import { deadLetterStream, deadLetterSubject, type LaneName } from './names.ts'
import { type Owner, persist } from './persist.ts'

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
    const { bus } = this.#owner
    const detail = oneLine(letter.detail)
    const room = bus.maxMessage - 2_048 - Buffer.byteLength(detail) - Buffer.byteLength(letter.source ?? '')
    const parts = Math.max(1, Math.ceil(letter.payload.length / room))
    for (let part = 1; part <= parts; part++) {
      const payload = letter.payload.subarray((part - 1) * room, part * room)
      await persist(this.#owner, this.#stream, async () => {
        const header = headers()
        header.set('mr-reason', letter.reason)
        header.set('mr-detail', detail)
        header.set('mr-count', String(letter.count))
        if (letter.source !== undefined) header.set('mr-source', letter.source)
        if (parts > 1) header.set('mr-part', `${part}/${parts}`)
        const msgID = `${this.#lane.service}.${this.#lane.lane}.${letter.id}.${part}`
        await bus.call(bus.js.publish(this.#subject, payload, { headers: header, msgID }))
      })
    }
  }
}

/** A header's value is one line, and short enough for the server. */
const oneLine = (text: string): string => text.replace(/[\r\n]+/g, ' ').slice(0, 1_000)
