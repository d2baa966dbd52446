/**
 * One broker that does what a real one can't be made to do on cue: lose the answer to what it has appended, answer
 * with any error, speak other versions. Its check of producers and sequences is Kafka's own rule.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { BatchReader, readHeader, recordOf } from '@millrace/record'
import { apis, type Api } from '../src/requests/request.ts'
import { Reader, Writer } from '../src/wire.ts'
import { answerListOffsets, answerOffsetCommit } from './fake-offsets.ts'
import { framed, onRequest } from './framing.ts'

/** What becomes of a batch that comes in. Nothing: it is appended, if its sequence is right, and answered. */
export type Script = (batch: { topic: string; partition: number; values: string[] }) =>
  | { error: number; invalid?: number[] }
  /** `append`: it is stored; then no answer, and the connection is cut. `drop`: the same, and it is not stored. */
  | 'append'
  | 'drop'
  | undefined

interface Log {
  batches: Buffer[]
  end: bigint
  /** Of each producer id: its epoch, and the sequence after its last record. */
  producers: Map<bigint, { epoch: number; next: number; last: number; lastOffset: bigint }>
}

/** It writes these as brokers before 2.8 do: without topic ids. */
const newest = new Map<string, number>([
  [apis.metadata.name, 7],
  [apis.fetch.name, 11],
])
const errors = { unknownTopic: 3, outOfOrder: 45, fenced: 47, unsupported: 35 }

export class FakeBroker implements AsyncDisposable {
  readonly logs = new Map<string, Log[]>()
  /** The versions that it offers, by API key: those that it can write, unless changed. */
  readonly versions = new Map<number, [least: number, most: number]>(
    Object.values(apis).map((api: Api) => [api.key, [api.least, newest.get(api.name) ?? api.most]]),
  )
  /** A test's own answers, by the API's name. */
  readonly answers = new Map<string, (from: Reader, to: Writer) => 'cut' | 'silent' | void>()
  /** Batches as they came in, for comparing the bytes of a retry. */
  readonly received: Buffer[] = []
  script: Script = () => undefined
  /** It cuts a connection that sends a request of more bytes. */
  largestRequest = Number.POSITIVE_INFINITY
  /** Milliseconds that answers to Produce tell the client to be silent for. */
  throttle = 0
  epoch = -1
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', socket => this.#serve(socket))
  }

  static async start(topics: { [name: string]: number }): Promise<FakeBroker> {
    const broker = new FakeBroker(createServer())
    for (const [name, partitions] of Object.entries(topics)) broker.createTopic(name, partitions)
    broker.#server.listen(0, '127.0.0.1')
    await once(broker.#server, 'listening')
    return broker
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('not listening')
    return address.port
  }

  createTopic(name: string, partitions: number): void {
    this.logs.set(
      name,
      Array.from({ length: partitions }, () => ({ batches: [], end: 0n, producers: new Map() })),
    )
  }

  /** The values in a partition's log, in order. */
  values(topic: string, partition = 0): string[] {
    return (this.logs.get(topic)?.[partition]?.batches ?? []).flatMap(valuesOf)
  }

  /** Cuts all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    onRequest(socket, request => this.#request(socket, request))
  }

  #request(socket: Socket, bytes: Buffer): void {
    if (bytes.length > this.largestRequest) return void socket.destroy()
    const from = new Reader(bytes)
    const [key, version, correlation] = [from.int16(), from.int16(), from.int32()]
    from.nullableString()
    const answer = new Writer().int32(correlation)
    const known = Object.values(apis).find(api => api.key === key)
    if (known === undefined) throw new Error(`The fake broker knows no API ${key}.`)
    const wanted = this.#answer(known.name, from, { to: answer, version })
    if (wanted === 'silent') return
    if (wanted === 'cut') return void socket.destroy()
    socket.write(framed(answer))
  }

  #answer(api: string, from: Reader, { to, version }: { to: Writer; version: number }): 'silent' | 'cut' | void {
    const answer = this.answers.get(api)
    if (answer !== undefined) return answer(from, to)
    switch (api) {
      case 'ApiVersions':
        to.int16(0).array([...this.versions], ([key, [least, most]]) => to.int16(key).int16(least).int16(most))
        return
      case 'Metadata':
        return this.#metadata(from, { to, version })
      case 'FindCoordinator':
        to.int32(0).int16(0).string(null).int32(1).string('127.0.0.1').int32(this.port)
        return
      case 'InitProducerId':
        return this.#initProducerId(from, { to, version })
      case 'Produce':
        return this.#produce(from, { to, version })
      case 'ListOffsets':
        return answerListOffsets(from, to, (topic, partition) => this.logs.get(topic)?.[partition]?.end ?? 0n)
      case 'OffsetCommit':
        return answerOffsetCommit(from, to, version)
      case 'Fetch':
        return this.#fetch(from, { to, version })
      default:
        throw new Error(`The fake broker has no answer to ${api}.`)
    }
  }

  #metadata(from: Reader, { to, version }: { to: Writer; version: number }): void {
    const topics = from.array(() => from.string())
    to.int32(0).array([1], node => to.int32(node).string('127.0.0.1').int32(this.port).string(null))
    to.string(null).int32(1)
    to.array(topics, topic => {
      const logs = this.logs.get(topic)
      to.int16(logs ? 0 : errors.unknownTopic)
        .string(topic)
        .int8(0)
      to.array([...(logs ?? []).keys()], id => {
        to.int16(0).int32(id).int32(1)
        if (version >= 7) to.int32(0)
        for (let list = 0; list < 3; list++) to.array([1], node => to.int32(node))
      })
    })
  }

  #initProducerId(header: Reader, { to, version }: { to: Writer; version: number }): void {
    if (version < 2)
      return void to
        .int32(0)
        .int16(0)
        .int64(7n)
        .int16(++this.epoch)
    const from = bytesAfterTags(header)
    from.int32()
    const [producerId, epoch] = [from.int64(), from.int16()]
    const fenced = producerId >= 0n && epoch !== this.epoch
    if (!fenced) this.epoch++
    to.noTags()
      .int32(0)
      .int16(fenced ? 90 : 0)
      .int64(fenced ? -1n : 7n)
      .int16(fenced ? -1 : this.epoch)
      .noTags()
  }

  #produce(from: Reader, { to, version }: { to: Writer; version: number }): 'silent' | 'cut' | void {
    from.nullableString()
    const acks = from.int16()
    from.int32()
    let cut = false
    const topics = from.array(() => {
      const topic = from.string()
      const answers = from.array(() => {
        const [partition, bytes] = [from.int32(), Buffer.from(from.bytes())]
        this.received.push(Buffer.from(bytes))
        const wanted = this.script({ topic, partition, values: valuesOf(bytes) })
        if (wanted === 'append' || wanted === 'drop') cut = true
        const result = typeof wanted === 'object' ? { ...wanted, offset: -1n } : undefined
        const append = () => (wanted === 'drop' ? { error: 0, offset: -1n } : this.#append({ topic, partition }, bytes))
        return { partition, invalid: [] as number[], ...(result ?? append()) }
      })
      return { topic, answers }
    })
    if (cut) return 'cut'
    if (acks === 0) return 'silent'
    to.array(topics, ({ topic, answers }) => {
      to.string(topic).array(answers, ({ partition, error, offset, invalid }) => {
        to.int32(partition).int16(error).int64(offset).int64(-1n).int64(0n)
        if (version >= 8) to.array(invalid, index => to.int32(index).string('bad')).string(null)
      })
    })
    to.int32(this.throttle)
  }

  /** Kafka's ProducerStateManager, as far as one batch under way needs it. */
  #append(at: { topic: string; partition: number }, bytes: Buffer): { error: number; offset: bigint } {
    const log = this.logs.get(at.topic)?.[at.partition]
    if (log === undefined) return { error: errors.unknownTopic, offset: -1n }
    const { producerId, producerEpoch: epoch, baseSequence: base, count } = readHeader(bytes)
    if (producerId >= 0n) {
      const known = log.producers.get(producerId)
      if (known !== undefined && epoch < known.epoch) return { error: errors.fenced, offset: -1n }
      const same = known?.epoch === epoch
      if (known !== undefined && same && known.last === base) return { error: 0, offset: known.lastOffset }
      if (known !== undefined && base !== (same ? known.next : 0)) return { error: errors.outOfOrder, offset: -1n }
      log.producers.set(producerId, { epoch, next: (base + count) % 2 ** 31, last: base, lastOffset: log.end })
    }
    const offset = log.end
    bytes.writeBigInt64BE(offset, 0)
    log.batches.push(bytes)
    log.end += BigInt(count)
    return { error: 0, offset }
  }

  #fetch(from: Reader, { to, version }: { to: Writer; version: number }): void {
    for (let field = 0; field < 4; field++) from.int32()
    from.int8()
    if (version >= 7) from.int64() // session
    const topics = from.array(() => ({
      topic: from.string(),
      partitions: from.array(() => {
        const id = from.int32()
        if (version >= 9) from.int32()
        const offset = from.int64()
        if (version >= 5) from.int64()
        from.int32()
        return { id, offset }
      }),
    }))
    to.int32(0)
    if (version >= 7) to.int16(0).int32(0)
    to.array(topics, ({ topic, partitions }) => {
      to.string(topic).array(partitions, ({ id, offset }) => {
        const log = this.logs.get(topic)?.[id]
        // Begins with the batch that holds the offset.
        const records = (log?.batches ?? []).filter(
          batch => batch.readBigInt64BE(0) + BigInt(batch[16] === 2 ? batch.readInt32BE(23) : 0) >= offset,
        )
        to.int32(id)
          .int16(0)
          .int64(log?.end ?? 0n)
          .int64(log?.end ?? 0n)
        if (version >= 5) to.int64(0n)
        to.int32(-1)
        if (version >= 11) to.int32(-1)
        to.bytes(Buffer.concat(records))
      })
    })
  }
}

/** After the header's tags comes a compact string that is of no interest here. */
function bytesAfterTags(from: Reader): Reader {
  from.int8()
  for (let length = from.int8() - 1; length > 0; length--) from.int8()
  return from
}

/** The values of a batch, as text. */
export function valuesOf(batch: Buffer): string[] {
  const reader = new BatchReader({ maxBytes: 2 ** 24 })
  reader.open(batch)
  const values: string[] = []
  while (reader.next()) values.push(recordOf(reader.view).value?.toString() ?? 'null')
  return values
}
