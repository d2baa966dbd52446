/** How requests and answers stand on a connection: each behind its length. For brokers that tests script. */
import type { Socket } from 'node:net'
import { Writer } from '../src/wire.ts'

/** Calls `act` with each request that comes whole, in order. */
export function onRequest(socket: Socket, act: (request: Buffer) => void): void {
  socket.on('error', () => undefined)
  let buffered: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk])
    while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
      const end = 4 + buffered.readInt32BE(0)
      act(buffered.subarray(4, end))
      buffered = buffered.subarray(end)
    }
  })
}

/** An answer as it is sent. */
export function framed(answer: Writer): Buffer {
  const body = Buffer.concat([...answer.parts])
  return Buffer.concat([...new Writer().int32(body.length).parts, body])
}
