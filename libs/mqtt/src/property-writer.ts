import { ByteWriter } from '@millrace/record'
import { property } from './publish.ts'
import { isMqttText, longestText } from './text.ts'

const nothing = Buffer.alloc(0)

/**
 * Builds the properties of one PUBLISH after another (MQTT 5.0, 3.3.2.3), in a buffer of its own, without allocating.
 * Of those that may not repeat the first one counts. What MQTT can't carry is left out, and counted.
 */
export class PropertyWriter {
  /** Where the interval of Message Expiry stands; -1 where there is none. */
  expiryAt = -1
  /** How many properties were left out since `clear`. */
  leftOut = 0
  readonly #to = new ByteWriter(1024)
  /** The identifiers that were written, as bits. */
  #written = 0
  #nameIn: Buffer = nothing
  #nameStart = 0
  #nameEnd = 0

  /** What was written: `bytes` from 0 to `length`. */
  get bytes(): Buffer {
    return this.#to.bytes
  }

  get length(): number {
    return this.#to.at
  }

  /** Begins the next PUBLISH's. */
  clear(): void {
    this.#to.at = 0
    this.#written = 0
    this.leftOut = 0
    this.expiryAt = -1
  }

  payloadFormat(value: number): void {
    if (!this.#first(property.payloadFormat)) return
    this.#begin(property.payloadFormat, 1)
    this.#to.byte(value)
  }

  /** Makes room for a Message Expiry Interval, which is filled in when the PUBLISH is sent. */
  expiry(): void {
    if (!this.#first(property.messageExpiry)) return
    this.#begin(property.messageExpiry, 4)
    this.expiryAt = this.#to.at
    this.#to.at += 4
  }

  /** Content Type or Response Topic. */
  text(identifier: number, from: Buffer, start: number, end: number): void {
    if (!this.#first(identifier)) return
    if (!isMqttText(from, start, end)) this.leftOut++
    else this.#ranged(identifier, from, start, end)
  }

  /** Correlation Data: any bytes. */
  data(identifier: number, from: Buffer, start: number, end: number): void {
    if (!this.#first(identifier)) return
    if (end - start > longestText) this.leftOut++
    else this.#ranged(identifier, from, start, end)
  }

  /** The name of a user property, which its value must follow. */
  name(from: Buffer, start: number, end: number): void {
    this.#nameIn = from
    this.#nameStart = start
    this.#nameEnd = end
  }

  /** The value of a user property; a null one (-1, -1) becomes an empty one. */
  value(from: Buffer, start: number, end: number): void {
    if (!isMqttText(this.#nameIn, this.#nameStart, this.#nameEnd) || !isMqttText(from, start, end)) {
      this.leftOut++
      return
    }
    this.#ranged(property.user, this.#nameIn, this.#nameStart, this.#nameEnd)
    this.#range(from, start, end)
  }

  /** The value of a user property: a number. */
  digits(value: string): void {
    this.#ranged(property.user, this.#nameIn, this.#nameStart, this.#nameEnd)
    const to = this.#to
    to.reserve(2 + value.length)
    to.byte(0)
    to.byte(value.length)
    for (let at = 0; at < value.length; at++) to.byte(value.charCodeAt(at))
  }

  #ranged(identifier: number, from: Buffer, start: number, end: number): void {
    this.#begin(identifier, 0)
    this.#range(from, start, end)
  }

  #range(from: Buffer, start: number, end: number): void {
    const length = end - start
    this.#to.reserve(2 + length)
    this.#to.byte(length >> 8)
    this.#to.byte(length & 0xff)
    this.#to.range(from, start, end)
  }

  #begin(identifier: number, room: number): void {
    this.#to.reserve(1 + room)
    this.#to.byte(identifier)
  }

  #first(identifier: number): boolean {
    const bit = 1 << identifier
    const isFirst = (this.#written & bit) === 0
    this.#written |= bit
    return isFirst
  }
}
