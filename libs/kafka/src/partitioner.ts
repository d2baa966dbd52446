/** Which partition a record goes to, as Kafka's own clients decide it. Pure. */
const seed = 0x9747b28c
const m = 0x5bd1e995
const r = 24

/** Murmur2 of a range, 32 bits, signed: what Kafka's clients hash keys with. */
export function murmur2(bytes: Buffer, start: number, end: number): number {
  const length = end - start
  const wholeEnd = end - (length % 4)
  let hash = seed ^ length
  for (let at = start; at < wholeEnd; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    word = Math.imul(word, m)
    word = Math.imul(word ^ (word >>> r), m)
    hash = Math.imul(hash, m) ^ word
  }
  const rest = end - wholeEnd
  if (rest === 3) hash ^= bytes[wholeEnd + 2]! << 16
  if (rest >= 2) hash ^= bytes[wholeEnd + 1]! << 8
  if (rest >= 1) hash = Math.imul(hash ^ bytes[wholeEnd]!, m)
  hash = Math.imul(hash ^ (hash >>> 13), m)
  return hash ^ (hash >>> 15)
}

/** The partition of a key, of so many. */
export function partitionOfKey(bytes: Buffer, start: number, end: number, count: number): number {
  return (murmur2(bytes, start, end) & 0x7fffffff) % count
}

/** A slot's name is its number; a Kafka partition's lane is `<topic>/<partition>`. */
const laneNumber = /(?:^|\/)(\d{1,9})$/

/** The partition of a lane, of so many: its number where it has one (a source partition, a slot), else by its name. */
export function partitionOfLane(lane: string, count: number): number {
  const number = laneNumber.exec(lane)?.[1]
  if (number !== undefined) return Number(number) % count
  const name = Buffer.from(lane)
  return partitionOfKey(name, 0, name.length, count)
}
