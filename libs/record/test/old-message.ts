import { crc32 } from '@node-rs/crc32'

/** A message of a format from before v2, without a key, at offset 0. Only v1 has a time. */
export function oldMessage(value: string, magic: 0 | 1, time = 1n): Buffer {
  const body = Buffer.alloc((magic === 0 ? 10 : 18) + value.length)
  body[0] = magic
  if (magic === 1) body.writeBigInt64BE(time, 2)
  const keyAt = magic === 0 ? 2 : 10
  body.writeInt32BE(-1, keyAt)
  body.writeInt32BE(value.length, keyAt + 4)
  body.write(value, keyAt + 8)
  const front = Buffer.alloc(16)
  front.writeInt32BE(4 + body.length, 8)
  front.writeUInt32BE(crc32(body), 12)
  return Buffer.concat([front, body])
}
