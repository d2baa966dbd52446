import { deadLetterStream, streamInfo } from '@millrace/bus'
import { BatchBuilder, stampBatch, viewOf } from '@millrace/record'
import { eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { FakeBroker } from '../../../libs/kafka/test/fake-broker.ts'
import { oldMessage } from '../../../libs/record/test/old-message.ts'
import { putInto } from './fake-log.ts'
import { numbers } from './producing.ts'
import { Rig } from './rig.ts'

noLeaks()

let broker: FakeBroker
beforeAll(async () => {
  broker = await FakeBroker.start({})
})
afterAll(() => broker[Symbol.asyncDispose]())

const put = (topic: string, values: readonly string[], leaderEpoch?: number) =>
  putInto(broker, { topic, values, leaderEpoch })

/** Answers the next Fetches with these errors of Kafka's, one after another, then as it should be. */
function failFetches(topic: string, ...codes: number[]): void {
  broker.answers.set('Fetch', (_, to) => {
    const code = codes.shift() ?? 0
    if (codes.length === 0) broker.answers.delete('Fetch')
    to.int32(0).int16(0).int32(0)
    to.array([topic], name => {
      to.string(name).array([code], error => {
        to.int32(0).int16(error).int64(-1n).int64(-1n).int64(-1n).int32(-1).int32(-1).int32(0)
      })
    })
  })
}

test.each([
  ['NOT_LEADER_OR_FOLLOWER', 6, 'not_leader_or_follower'],
  ['FENCED_LEADER_EPOCH', 74, 'fenced_leader_epoch'],
  ['UNKNOWN_LEADER_EPOCH', 75, 'unknown_leader_epoch'],
  ['OFFSET_NOT_AVAILABLE', 78, 'offset_not_available'],
  ['KAFKA_STORAGE_ERROR', 56, 'kafka_storage_error'],
  ['TOPIC_AUTHORIZATION_FAILED', 29, 'topic_authorization_failed'],
  ['OFFSET_OUT_OF_RANGE, of an offset that is there', 1, 'offset_out_of_range'],
  ['an error that is newer than we are', 999, 'error 999'],
])('%s is told, and the source goes on once it has passed', async (_, code, told) => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  const topic = `t${code}`
  broker.createTopic(topic, 1)
  put(topic, numbers(1, 10))
  failFetches(topic, code, code)
  const run = rig.run({ lane: `${topic}/0`, source: { topics: [topic] } })
  await rig.stored(10, `${topic}/0`)
  expect(run.told).toContain(`holding ${told}`)
  await run.is('running')
  expect(await rig.values(`${topic}/0`)).toEqual(numbers(1, 10))
})

const stamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false }

/** Says that the batch is compressed in a way that nobody knows. */
function compressUnknown(batch: Buffer): void {
  batch.writeInt16BE(7, 21)
  stampBatch(batch, stamp)
}

test.each<[string, string, (batch: Buffer) => void]>([
  ['does not fit its checksum', 'crc', batch => void batch.fill(0xff, batch.length - 1)],
  ['is compressed in no known way', 'compressed', compressUnknown],
])('a batch that %s is fetched again, and becomes a dead letter if it stays so', async (_, topic, damage) => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  broker.createTopic(topic, 1)
  put(topic, numbers(1, 3))
  damage(put(topic, numbers(4, 6)))
  put(topic, numbers(7, 9))
  const run = rig.run({ lane: `${topic}/0`, source: { topics: [topic] } })
  await rig.stored(6, `${topic}/0`)
  expect(await rig.values(`${topic}/0`)).toEqual([...numbers(1, 3), ...numbers(7, 9)])
  expect(run.counts).toMatchObject({ in: 6, refused: 1 })
  expect(run.told).toContain('holding bad_batch')
  expect(run.messages.join()).toMatch(/batch at offset 3 can't be read/)
  expect((await streamInfo(rig.installation.coordinator, deadLetterStream('r')))?.state.messages).toBe(1)
})

test('dead letters at the end of a log are made once, whoever reads there next', async () => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  broker.createTopic('ends-bad', 1)
  put('ends-bad', numbers(1, 3))
  const options = { lane: 'ends-bad/0', source: { topics: ['ends-bad'] } }
  const first = rig.run(options)
  await rig.stored(3, 'ends-bad/0')
  compressUnknown(put('ends-bad', numbers(4, 6)))
  await eventually(() => first.counts.refused === 1, { what: 'a dead letter', timeout: 30_000 })
  await first.abort()
  expect((await rig.end('ends-bad/0'))?.position.offset).toBe('6')
  const second = rig.run(options)
  put('ends-bad', numbers(7, 9))
  await rig.stored(6, 'ends-bad/0')
  expect(second.counts).toMatchObject({ in: 3, refused: 0 })
  expect((await streamInfo(rig.installation.coordinator, deadLetterStream('r')))?.state.messages).toBe(1)
})

test('a batch to begin within, which can not be taken apart, becomes a dead letter, and reading goes on', async () => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  broker.createTopic('within', 1)
  const bad = put('within', numbers(1, 3))
  // Its records are said to be compressed, and are not.
  bad.writeInt16BE(1, 21)
  stampBatch(bad, stamp)
  put('within', numbers(4, 6))
  const run = rig.run({ lane: 'within/0', source: { topics: ['within'], start: { offsets: { within: { 0: '1' } } } } })
  await rig.stored(3, 'within/0')
  expect(await rig.values('within/0')).toEqual(numbers(4, 6))
  expect(run.counts).toMatchObject({ in: 3, refused: 1 })
})

/** Puts a message of format 0 or 1 at the end of a topic, as producers wrote them for Kafka 0.8 to 0.10. */
function putOld(topic: string, value: string, magic: 0 | 1, time = 1n): void {
  const [log] = broker.logs.get(topic) ?? []
  if (log === undefined) throw new Error(`no topic ${topic}`)
  const bytes = oldMessage(value, magic, time)
  bytes.writeBigInt64BE(log.end, 0)
  log.batches.push(bytes)
  log.end += 1n
}

test('messages of older formats become dead letters at once, each of them, and nothing behind them is passed by', async () => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  broker.createTopic('old', 1)
  put('old', numbers(1, 3))
  // Their times stand where v2 has its last offset delta: below zero, then large.
  putOld('old', 'a'.repeat(100), 1, 0xff_ff_ffn)
  putOld('old', 'b'.repeat(100), 1, 0x01_00_00n)
  // Smaller than a batch of v2 can be: the smallest that there are, and a chain of some.
  putOld('old', '', 0)
  putOld('old', '', 1)
  for (const value of numbers(1, 50)) putOld('old', value, value.length === 1 ? 0 : 1)
  put('old', numbers(6, 9))
  const run = rig.run({ lane: 'old/0', source: { topics: ['old'] } })
  await rig.stored(7, 'old/0')
  expect(await rig.values('old/0')).toEqual([...numbers(1, 3), ...numbers(6, 9)])
  expect(run.counts).toMatchObject({ in: 7, refused: 54 })
  // What can't be read otherwise next time is not asked for again.
  expect(run.told).not.toContain('holding bad_batch')
})

test('a message of an older format that does not fit its checksum is fetched again before it is a dead letter', async () => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  broker.createTopic('old-bad', 1)
  putOld('old-bad', 'a', 0)
  broker.logs.get('old-bad')?.[0]?.batches[0]?.fill(0xff, 20)
  put('old-bad', numbers(2, 3))
  const run = rig.run({ lane: 'old-bad/0', source: { topics: ['old-bad'] } })
  await rig.stored(2, 'old-bad/0')
  expect(run.counts).toMatchObject({ in: 2, refused: 1 })
  expect(run.told).toContain('holding bad_batch')
})

test('an answer without a whole batch is told, and asked for again', async () => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  broker.createTopic('part', 1)
  const bytes = put('part', numbers(1, 10))
  let asked = 0
  broker.answers.set('Fetch', (_, to) => {
    asked++
    to.int32(0).int16(0).int32(0)
    to.array(['part'], name => {
      to.string(name).array([bytes.subarray(0, 50)], cut => {
        to.int32(0).int16(0).int64(-1n).int64(-1n).int64(-1n).int32(-1).int32(-1).bytes(cut)
      })
    })
  })
  const run = rig.run({ lane: 'part/0', source: { topics: ['part'] } })
  await run.is('holding bad_batch')
  expect(run.messages.at(-1)).toMatch(/^part, partition 0: .* 50 bytes for offset 0, and no whole batch/)
  expect(asked).toBeLessThan(10)
  broker.answers.delete('Fetch')
  await rig.stored(10, 'part/0')
  await run.is('running')
})

test('headers that are null, times of any kind', async () => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  broker.createTopic('odd', 1)
  const [log] = broker.logs.get('odd') ?? []
  const times = [-1, 0, 253_402_300_799_999, 1_700_000_000_000_000_001n, 2n ** 63n - 1n, -(2n ** 63n)]
  const builder = new BatchBuilder()
  for (const timestamp of times) {
    builder.add(
      viewOf({
        timestamp,
        key: null,
        value: null,
        headers: [
          ['n', null],
          ['', null],
        ],
      }),
    )
  }
  log?.batches.push(builder.finish())
  if (log !== undefined) log.end = BigInt(times.length)
  rig.run({ lane: 'odd/0', source: { topics: ['odd'] } })
  await rig.stored(times.length, 'odd/0')
  const headers = [
    ['n', null],
    ['', null],
  ]
  expect(await rig.records('odd/0')).toMatchObject(times.map(timestamp => ({ timestamp, headers })))
})

/** An unclean election: what was read from offset 3 on is not in the log any more, and other records are. */
async function readAndCut(rig: Rig, topic: string): Promise<void> {
  broker.createTopic(topic, 1)
  put(topic, numbers(1, 3), 0)
  put(topic, numbers(4, 6), 1)
  const run = rig.run({ lane: `${topic}/0`, source: { topics: [topic] } })
  await rig.stored(6, `${topic}/0`)
  await run.abort()
  const [log] = broker.logs.get(topic) ?? []
  log?.batches.splice(1)
  if (log !== undefined) log.end = 3n
  put(topic, numbers(104, 112), 2)
  broker.answers.set('OffsetForLeaderEpoch', (_, to) => {
    to.int32(0)
    to.array([topic], name => to.string(name).array([0], id => to.int16(0).int32(id).int32(0).int64(3n)))
  })
}

test('a log that was cut and written anew below the position is an alarm, though it is long enough', async () => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  await readAndCut(rig, 'cut')
  const error = await rig.run({ lane: 'cut/0', source: { topics: ['cut'] } }).failure()
  expect(error).toMatchObject({ name: 'AlarmError', code: 'kafka_gap' })
  expect(error.message).toMatch(/was cut at offset 3 and goes on with other records; it had been read up to 6/)
})

test('where the route says so, a log that was cut goes on where it was cut', async () => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  await readAndCut(rig, 'goes-on')
  const run = rig.run({ lane: 'goes-on/0', source: { topics: ['goes-on'], onGap: 'earliest' } })
  await rig.stored(15, 'goes-on/0')
  expect(await rig.values('goes-on/0')).toEqual([...numbers(1, 6), ...numbers(104, 112)])
  await run.is('running kafka_gap')
})

test('a gap that was passed over is told for an hour', async () => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  await readAndCut(rig, 'told')
  const run = rig.run({ lane: 'told/0', source: { topics: ['told'], onGap: 'earliest' } })
  await run.is('running kafka_gap')
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    vi.advanceTimersByTime(7_200_000)
    await run.is('running')
  } finally {
    vi.useRealTimers()
  }
  expect(run.counts.gaps).toBe(1)
})

test('a broker that asks for silence is not asked until it is over', async () => {
  await using rig = await Rig.start(`127.0.0.1:${broker.port}`)
  broker.createTopic('slow', 1)
  put('slow', numbers(1, 10))
  const asked: number[] = []
  broker.answers.set('Fetch', (_, to) => {
    asked.push(performance.now())
    to.int32(300)
      .int16(0)
      .int32(0)
      .array([], () => undefined)
  })
  rig.run({ lane: 'slow/0', source: { topics: ['slow'] } })
  await eventually(() => asked.length >= 3, { what: 'three Fetches' })
  broker.answers.delete('Fetch')
  const [first = 0, second = 0, third = 0] = asked
  // A timer may be a little early.
  expect(Math.min(second - first, third - second)).toBeGreaterThan(290)
  await rig.stored(10, 'slow/0')
})
