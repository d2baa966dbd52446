/** A Kafka topic as kcat reads it: an independent consumer that costs little beside what is measured. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** One record; valid during the call. */
export type Take = (payload: Buffer, timestamp: number, key: string) => void

/** What to read, from its beginning. */
export interface Reading {
  brokers: string[]
  topic: string
  partitions: number
  /** Write each record as it comes, which costs a system call a record; else what came together is written together. */
  unbuffered: boolean
}

/** As kcat is told to write a record: the payload's length in 4 bytes, the payload, then the timestamp and key as text. */
const format = '%R%s%T %k\\n'
const newline = 0x0a

/**
 * Starts it. Resolves once every partition was read to its end for the first time, or a record came, with what ends it:
 * that resolves when what kcat still held back has come.
 */
export async function readTopic(
  { brokers, topic, partitions, unbuffered }: Reading,
  take: Take,
): Promise<() => Promise<void>> {
  const args = ['-C', '-b', brokers.join(), '-t', topic, '-o', 'beginning', '-f', format, '-X', 'fetch.wait.max.ms=100']
  const kcat = spawn('kcat', unbuffered ? ['-u', ...args] : args, { stdio: ['ignore', 'pipe', 'pipe'] })
  process.once('exit', () => kcat.kill('SIGKILL'))
  const begun = Promise.withResolvers<void>()
  let ends = 0
  createInterface(kcat.stderr).on('line', line => {
    if (line.includes('Reached end of topic') && ++ends === partitions) begun.resolve()
  })
  kcat.once('exit', code => begun.reject(new Error(`kcat ended (${code})`)))
  let rest: Buffer = Buffer.alloc(0)
  kcat.stdout.on('data', (chunk: Buffer) => {
    begun.resolve()
    rest = parse(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]), take)
  })
  await begun.promise
  return async () => {
    kcat.kill('SIGINT')
    await once(kcat, 'close')
  }
}

/** Hands over every record that is whole, and returns what is left. */
function parse(bytes: Buffer, take: Take): Buffer {
  let at = 0
  while (bytes.length - at >= 4) {
    const payloadEnd = at + 4 + bytes.readInt32BE(at)
    const end = payloadEnd > bytes.length ? -1 : bytes.indexOf(newline, payloadEnd)
    if (end === -1) break
    const [timestamp = '', key = ''] = bytes.toString('latin1', payloadEnd, end).split(' ')
    take(bytes.subarray(at + 4, payloadEnd), Number(timestamp), key)
    at = end + 1
  }
  return bytes.subarray(at)
}
