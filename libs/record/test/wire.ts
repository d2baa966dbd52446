/** Kafka's Produce and Fetch, the least of them that carries a record set to a broker and back, over a bare socket. */
import { once } from 'node:events'
import { connect } from 'node:net'

const produceKey = 0
const fetchKey = 1

/** Partition 0 of a topic, on the only broker. */
export interface Place {
  port: number
  topic: string
}

/** Sends a record set (Produce v7, acks all). Resolves with the broker's error code, 0 for none, and base offset. */
export async function produce(place: Place, recordSet: Buffer): Promise<{ error: number; baseOffset: bigint }> {
  const body = [nullString, int16(-1), int32(10_000), topicAnd(place), int32(recordSet.length), recordSet]
  const response = await request(place.port, [int16(produceKey), int16(7)], body)
  // After: topics, name, partitions, partition.
  const at = 4 + 2 + place.topic.length + 4 + 4
  return { error: response.readInt16BE(at), baseOffset: response.readBigInt64BE(at + 2) }
}

/** The record set from an offset on (Fetch v4), as the broker sends it; `maxBytes` may cut its last batch. */
export async function fetch(place: Place, offset = 0n, maxBytes = 1 << 20): Promise<Buffer> {
  const limits = [int32(-1), int32(100), int32(1), int32(maxBytes), Buffer.of(0)]
  const body = [...limits, topicAnd(place), int64(offset), int32(maxBytes)]
  const response = await request(place.port, [int16(fetchKey), int16(4)], body)
  // After: throttle time, topics, name, partitions, partition.
  const at = 4 + 4 + 2 + place.topic.length + 4 + 4
  const error = response.readInt16BE(at)
  if (error !== 0) throw new Error(`Fetch was refused with error ${error}.`)
  const aborted = Math.max(0, response.readInt32BE(at + 18))
  const recordsAt = at + 22 + aborted * 16
  return response.subarray(recordsAt + 4, recordsAt + 4 + response.readInt32BE(recordsAt))
}

/** One request, one answer, one connection. Resolves with the answer after its correlation id. */
async function request(port: number, api: Buffer[], body: Buffer[]): Promise<Buffer> {
  const message = Buffer.concat([...api, int32(1), nullString, ...body])
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write(Buffer.concat([int32(message.length), message]))
    let answer = Buffer.of()
    for await (const chunk of socket) {
      answer = Buffer.concat([answer, chunk])
      if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) return answer.subarray(8)
    }
    throw new Error('The broker closed the connection.')
  } finally {
    socket.destroy()
  }
}

/** One topic, one partition: number 0. */
function topicAnd({ topic }: Place): Buffer {
  return Buffer.concat([int32(1), int16(topic.length), Buffer.from(topic), int32(1), int32(0)])
}

const nullString = Buffer.of(0xff, 0xff)

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
