import { once } from 'node:events'
import { createServer } from 'node:net'
import { noLeaks } from '@millrace/testkit'
import * as fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { Cluster, type KafkaError } from '../src/index.ts'
import { fetchLog } from '../src/requests/fetch.ts'
import { commitOffset, findGroup } from '../src/requests/group-offset.ts'
import { endOfEpoch } from '../src/requests/leader-epoch.ts'
import { listOffsets } from '../src/requests/list-offsets.ts'
import { metadata } from '../src/requests/metadata.ts'
import { produce } from '../src/requests/produce.ts'
import { apis } from '../src/requests/request.ts'
import { Reader } from '../src/wire.ts'
import { FakeBroker } from './fake-broker.ts'
import { addAll, openProducer, settingsFor } from './rig.ts'

noLeaks()

/** What a call throws; undefined if nothing. */
function attempt(call: () => unknown): unknown {
  try {
    call()
    return undefined
  } catch (error) {
    return error
  }
}

const failure = (opening: Promise<unknown>): Promise<KafkaError> =>
  opening.then(
    () => expect.unreachable('it opened'),
    (error: KafkaError) => error,
  )

test('kafkajs 2.2.4: its request queue armed a timer for ever after the first answer, of a negative time', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  using cluster = await Cluster.open(settingsFor(broker.port))
  const armed = vi.spyOn(globalThis, 'setTimeout')
  const warned = vi.fn<(warning: Error) => void>()
  process.on('warning', warned)
  await cluster.metadata(['t'])
  await cluster.metadata(['t'])
  expect(armed).not.toHaveBeenCalled()
  expect(warned).not.toHaveBeenCalled()
  armed.mockRestore()
  process.off('warning', warned)
})

test('a throttled client waits, and only once, before its next request', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  await using rig = await openProducer(broker.port)
  broker.throttle = 120
  addAll(rig.producer, ['a'])
  await rig.producer.deliver()
  broker.throttle = 0
  const before = performance.now()
  addAll(rig.producer, ['b'])
  expect(await rig.producer.deliver()).toEqual({ is: 'done' })
  expect(performance.now() - before).toBeGreaterThan(100)
  expect(broker.values('t')).toEqual(['a', 'b'])
})

test('a broker that is not there is unreachable, which may pass', async () => {
  const error = await failure(Cluster.open(settingsFor(1)))
  expect(error).toMatchObject({ name: 'KafkaError', code: 'broker_unreachable' })
  expect(error.message).toContain('127.0.0.1:1')
  expect(error.message).toContain('ECONNREFUSED')
})

test('a server that never answers is unreachable after the time-out', async () => {
  const silent = createServer(socket => socket.resume())
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const error = await failure(Cluster.open(settingsFor(port, { connectTimeout: 200 })))
  expect(error).toMatchObject({ code: 'broker_unreachable' })
  silent.close()
})

test('a broker that speaks other versions is told apart, with what it speaks', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  broker.versions.set(apis.metadata.key, [0, 1])
  const error = await failure(Cluster.open(settingsFor(broker.port)))
  expect(error).toMatchObject({ code: 'unsupported_version' })
  expect(error.message).toContain('Metadata 0 to 1')
  broker.versions.delete(apis.metadata.key)
  expect(await failure(Cluster.open(settingsFor(broker.port)))).toMatchObject({ code: 'unsupported_version' })
})

test('an abort ends the cluster at once, and nothing can be sent any more', async () => {
  await using broker = await FakeBroker.start({ t: 1 })
  const abort = new AbortController()
  using cluster = await Cluster.open(settingsFor(broker.port), abort.signal)
  abort.abort()
  expect(await failure(cluster.metadata(['t']))).toMatchObject({ code: 'closed' })
  expect(await failure(Cluster.open(settingsFor(broker.port), abort.signal))).toMatchObject({ code: 'closed' })
})

test('answers of any bytes are read, or end in a RangeError', () => {
  const place = { topic: 't', partition: 0 }
  const requests = [
    metadata(['t']),
    produce([], { acks: -1, timeout: 1, transactionalId: null }),
    listOffsets(place, { place: 'latest' }),
    fetchLog(place, { offset: 0n, maxBytes: 1 }),
    fetchLog({ ...place, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' }, { offset: 0n, maxBytes: 1 }),
    endOfEpoch(place, { current: 1, epoch: 1 }),
    findGroup('g'),
    commitOffset('g', place, { offset: 0n, leaderEpoch: 1 }),
  ]
  fc.assert(
    fc.property(fc.constantFrom(...requests), fc.uint8Array({ maxLength: 200 }), (request, bytes) => {
      const { most, flexibleFrom = most + 1 } = request.api
      const from = new Reader(Buffer.from(bytes), { flexible: most >= flexibleFrom })
      const ended = attempt(() => request.decode(from, most))
      expect(ended === undefined || ended instanceof RangeError).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})
