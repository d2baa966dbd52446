/**
 * Variable-length integers as format v2 writes them: zigzag, then seven bits a byte, lowest first. They are plain
 * numbers here, exact for every safe integer: the sign is the lowest bit of the first byte, and what remains is the
 * magnitude (of -v - 1 where v is negative), so nothing needs 64-bit arithmetic. What no safe integer holds, which only a
 * timestamp may need, is written as a bigint, by functions of its own.
 */
/** How many bytes `writeVarint` takes for a safe integer. */
export function varintSize(value: number): number {
  const magnitude = value < 0 ? -value - 1 : value
  if (magnitude < 0x40) return 1
  if (magnitude < 0x2000) return 2
  if (magnitude < 0x10_0000) return 3
  let size = 4
  for (let rest = magnitude / 0x800_0000; rest >= 1; rest /= 128) size++
  return size
}

/** Writes a safe integer at `at` and returns where it ends. The caller has made room. */
export function writeVarint(to: Buffer, at: number, value: number): number {
  const sign = value < 0 ? 1 : 0
  const magnitude = value < 0 ? -value - 1 : value
  if (magnitude < 0x40) {
    to[at] = (magnitude << 1) | sign
    return at + 1
  }
  if (magnitude < 0x2000) {
    to[at] = ((magnitude & 0x3f) << 1) | sign | 0x80
    to[at + 1] = magnitude >>> 6
    return at + 2
  }
  to[at] = ((magnitude % 0x40) << 1) | sign | 0x80
  return writeRest(to, at + 1, Math.floor(magnitude / 0x40))
}

/** As `varintSize`, of any integer of 64 bits. */
export function longVarintSize(value: bigint): number {
  let size = 1
  for (let rest = zigzag(value) >> 7n; rest > 0n; rest >>= 7n) size++
  return size
}

/** As `writeVarint`, of any integer of 64 bits. */
export function writeLongVarint(to: Buffer, at: number, value: bigint): number {
  let next = at
  let rest = zigzag(value)
  for (; rest >= 0x80n; rest >>= 7n) to[next++] = Number(rest & 0x7fn) | 0x80
  to[next] = Number(rest)
  return next + 1
}

const zigzag = (value: bigint): bigint => BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))

/** The bytes after the first one. */
function writeRest(to: Buffer, at: number, magnitude: number): number {
  let next = at
  let rest = magnitude
  while (rest >= 0x80) {
    to[next++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  to[next] = rest
  return next + 1
}
