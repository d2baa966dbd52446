/**
 * Kafka's wire types: big-endian integers, and strings and arrays with a length in front. `Writer` is for the small
 * parts of a request; record batches are never copied through it.
 *
 * In "flexible" versions lengths are varints, one more than the length so that 0 is null, and each structure ends with
 * tagged fields. Writer and Reader know which they are for, so a request is written down once for both.
 */
const int64Bytes = 8
const uuidBytes = 16
/** The id of no topic. */
const noUuid = Buffer.alloc(uuidBytes)

/** Writes a request's fields one after another. */
export class Writer {
  readonly #parts: Buffer[] = []
  readonly #flexible: boolean

  constructor({ flexible = false } = {}) {
    this.#flexible = flexible
  }

  int8(value: number): this {
    return this.#add(Buffer.of(value & 0xff))
  }

  int16(value: number): this {
    const part = Buffer.alloc(2)
    part.writeInt16BE(value)
    return this.#add(part)
  }

  int32(value: number): this {
    const part = Buffer.alloc(4)
    part.writeInt32BE(value)
    return this.#add(part)
  }

  int64(value: bigint): this {
    const part = Buffer.alloc(int64Bytes)
    part.writeBigInt64BE(value)
    return this.#add(part)
  }

  /** A topic's id, in base64url as Kafka's tools show it; '' where there is none. */
  uuid(id: string): this {
    return this.#add(id === '' ? noUuid : Buffer.from(id, 'base64url'))
  }

  /** A length of 16 bits, and UTF-8; a length of -1 for null. */
  string(value: string | null): this {
    if (this.#flexible) return value === null ? this.#unsignedVarint(0) : this.compactString(value)
    if (value === null) return this.int16(-1)
    const bytes = Buffer.from(value)
    return this.int16(bytes.length).#add(bytes)
  }

  /** The string of "flexible" versions: its length plus 1 as a varint. */
  compactString(value: string): this {
    const bytes = Buffer.from(value)
    return this.#unsignedVarint(bytes.length + 1).#add(bytes)
  }

  array<T>(values: readonly T[], each: (value: T) => void): this {
    if (this.#flexible) this.#unsignedVarint(values.length + 1)
    else this.int32(values.length)
    for (const value of values) each(value)
    return this
  }

  /** An array that is null. */
  nullArray(): this {
    return this.#flexible ? this.#unsignedVarint(0) : this.int32(-1)
  }

  /** The tagged fields of "flexible" versions: none. */
  noTags(): this {
    return this.int8(0)
  }

  /** The end of a structure: in "flexible" versions, no tagged fields. */
  end(): this {
    return this.#flexible ? this.noTags() : this
  }

  /** Bytes that are sent where they lie. */
  bytes(value: Buffer): this {
    const length = this.#flexible ? this.#unsignedVarint(value.length + 1) : this.int32(value.length)
    return length.#add(value)
  }

  /** All that was written, in order; nothing has been joined. */
  get parts(): readonly Buffer[] {
    return this.#parts
  }

  #unsignedVarint(value: number): this {
    let rest = value
    for (; rest > 0x7f; rest >>>= 7) this.int8((rest & 0x7f) | 0x80)
    return this.int8(rest)
  }

  #add(part: Buffer): this {
    this.#parts.push(part)
    return this
  }
}

/** Reads a response's fields. Throws RangeError where the bytes end before the fields do. */
export class Reader {
  readonly #bytes: Buffer
  readonly #flexible: boolean
  #at = 0

  constructor(bytes: Buffer, { flexible = false } = {}) {
    this.#bytes = bytes
    this.#flexible = flexible
  }

  int8(): number {
    return this.#bytes.readInt8(this.#skip(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4))
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#skip(int64Bytes))
  }

  /** A topic's id, in base64url as Kafka's tools show it; '' where there is none. */
  uuid(): string {
    const start = this.#skip(uuidBytes)
    const bytes = this.#bytes.subarray(start, start + uuidBytes)
    return bytes.equals(noUuid) ? '' : bytes.toString('base64url')
  }

  nullableString(): string | null {
    const length = this.#flexible ? this.#unsignedVarint() - 1 : this.int16()
    if (length < 0) return null
    const start = this.#skip(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  /** The bytes where they lie; null counts as none. */
  bytes(): Buffer {
    const length = this.#length()
    const start = this.#skip(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** Each element takes at least a byte, so a length beyond what is left is refused before anything is made. */
  array<T>(each: () => T): T[] {
    const length = this.#length()
    if (length > this.#bytes.length - this.#at) throw new RangeError(`An array of ${length} elements in too few bytes.`)
    return Array.from({ length }, each)
  }

  /** The end of a structure: in "flexible" versions, tagged fields, of which none is of interest here. */
  end(): void {
    if (!this.#flexible) return
    for (let left = this.#unsignedVarint(); left > 0; left--) {
      this.#unsignedVarint() // which one
      this.#skip(this.#unsignedVarint())
    }
  }

  /** Of an array or bytes; null counts as none. */
  #length(): number {
    return Math.max(this.#flexible ? this.#unsignedVarint() - 1 : this.int32(), 0)
  }

  #unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.int8()
      value += (byte & 0x7f) * 2 ** shift
      if (byte >= 0) return value
    }
    throw new RangeError('A length of more than 35 bits.')
  }

  #skip(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) throw new RangeError(`${length} bytes expected at ${start}.`)
    this.#at += length
    return start
  }
}
