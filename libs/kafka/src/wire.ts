/**
 * Kafka's wire types: big-endian integers, and strings and arrays with a length in front. `Writer` is for the small
 * parts of a request; record batches are never copied through it.
 */
const int64Bytes = 8

/** Writes a request's fields one after another. */
export class Writer {
  readonly #parts: Buffer[] = []

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

  /** A length of 16 bits, and UTF-8; a length of -1 for null. */
  string(value: string | null): this {
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
    this.int32(values.length)
    for (const value of values) each(value)
    return this
  }

  /** The tagged fields of "flexible" versions: none. */
  noTags(): this {
    return this.int8(0)
  }

  /** Bytes that are sent where they lie. */
  bytes(value: Buffer): this {
    return this.int32(value.length).#add(value)
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
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
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

  nullableString(): string | null {
    const length = this.int16()
    if (length < 0) return null
    const start = this.#skip(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  /** The bytes where they lie; null counts as none. */
  bytes(): Buffer {
    const length = Math.max(this.int32(), 0)
    const start = this.#skip(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** Each element takes at least a byte, so a length beyond what is left is refused before anything is made. */
  array<T>(each: () => T): T[] {
    const length = Math.max(this.int32(), 0)
    if (length > this.#bytes.length - this.#at) throw new RangeError(`An array of ${length} elements in too few bytes.`)
    return Array.from({ length }, each)
  }

  #skip(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) throw new RangeError(`${length} bytes expected at ${start}.`)
    this.#at += length
    return start
  }
}
