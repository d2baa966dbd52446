import { eventually, install, type Installation, noLeaks } from '@millrace/testkit'
import { jetstream, jetstreamManager, type JsMsg } from '@nats-io/jetstream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Bus,
  type DeadLetter,
  DeadLetters,
  deadLetterStream,
  makeRouteStreams,
  PermissionError,
  type Problem,
} from '../src/index.ts'

noLeaks()

let installation: Installation
let sink: Bus

beforeAll(async () => {
  installation = await install({ maxPayload: '64KB' })
  sink = await installation.connect('kafka-egress')
})
afterAll(() => installation[Symbol.asyncDispose]())

const letter = (id: string, bytes = 10): DeadLetter => ({
  payload: Buffer.alloc(bytes, id),
  count: 1,
  reason: 'too_large',
  detail: `The record is too large.\r\nFor é reasons.`,
  source: '{"topic":"t"}',
  id,
})

const owner = (tell: (problem: Problem | undefined) => void = () => {}) => ({
  bus: sink,
  signal: installation.signal,
  tell,
})

/** Everything in a route's dead letters, oldest first. */
async function read(route: string): Promise<JsMsg[]> {
  await using admin = await installation.admin()
  const stream = deadLetterStream(route)
  const { state } = await (await jetstreamManager(admin)).streams.info(stream)
  const messages: JsMsg[] = []
  if (state.messages === 0) return messages
  const consumer = await jetstream(admin).consumers.get(stream)
  for await (const message of await consumer.consume()) {
    if (messages.push(message) === state.messages) break
  }
  return messages
}

test('A dead letter is kept whole, with its reason, its place and a sentence', async () => {
  const { sinkLane } = await installation.route('kept')
  await new DeadLetters(owner(), sinkLane).store(letter('1'))
  const [message] = await read('kept')
  expect(message?.subject).toBe('mr.x.kafka-egress.kept.0')
  const header = (name: string) => message?.headers?.get(name)
  expect(header('mr-reason')).toBe('too_large')
  expect(header('mr-detail')).toBe('The record is too large. For é reasons.')
  expect(header('mr-count')).toBe('1')
  expect(header('mr-source')).toBe('{"topic":"t"}')
  expect(Buffer.from(message?.data ?? []).equals(letter('1').payload)).toBe(true)
})

test('One that is larger than a message goes in parts', async () => {
  const { sinkLane } = await installation.route('large')
  await new DeadLetters(owner(), sinkLane).store(letter('7', 200_000))
  const messages = await read('large')
  expect(messages.map(({ headers }) => headers?.get('mr-part'))).toEqual(['1/4', '2/4', '3/4', '4/4'])
  expect(Buffer.concat(messages.map(({ data }) => data)).equals(letter('7', 200_000).payload)).toBe(true)
})

test('The same dead letter again is not stored twice', async () => {
  const { sinkLane } = await installation.route('twice')
  const deadLetters = new DeadLetters(owner(), sinkLane)
  for (const id of ['1', '2', '1', '2', '3']) await deadLetters.store(letter(id))
  expect(await read('twice')).toHaveLength(3)
})

test('A full stream of dead letters holds, and goes on when there is room', async () => {
  const { sinkLane, uid } = await installation.route('full')
  const streams = { route: 'full', uid, maxBytes: 2 ** 20, replicas: 1 }
  await makeRouteStreams(installation.coordinator, { ...streams, deadLetters: { maxBytes: 100_000 } })
  const told: (Problem | undefined)[] = []
  const deadLetters = new DeadLetters(
    owner(problem => told.push(problem)),
    sinkLane,
  )
  await deadLetters.store(letter('1', 50_000))
  const second = deadLetters.store(letter('2', 50_000))
  await eventually(() => told.length > 0, { what: 'the full stream to be told' })
  const message = expect.stringMatching(
    /^MR_X_full has no room for a dead letter of 5\d{4} bytes: it holds 50\d{3} of 100000\. .* deadLetters\.maxBytes/,
  )
  expect(told[0]).toEqual({ code: 'stream_full', message })
  await makeRouteStreams(installation.coordinator, { ...streams, deadLetters: { maxBytes: 200_000 } })
  await second
  expect(await read('full')).toHaveLength(2)
  expect(told.at(-1)).toBeUndefined()
})

test('One that is larger than all that its stream may hold is not begun, and told with its size, until the stream is larger', async () => {
  const { sinkLane, uid } = await installation.route('vast')
  const streams = { route: 'vast', uid, maxBytes: 2 ** 20, replicas: 1 }
  await makeRouteStreams(installation.coordinator, { ...streams, deadLetters: { maxBytes: 150_000 } })
  const told: (Problem | undefined)[] = []
  const deadLetters = new DeadLetters(
    owner(problem => told.push(problem)),
    sinkLane,
  )
  const vast = deadLetters.store(letter('1', 200_000))
  await eventually(() => told.length > 0, { what: 'it is told' })
  expect(told[0]?.message).toMatch(
    /a dead letter of 2\d{5} bytes: it holds 0 of 150000\. Give route vast a larger dead/,
  )
  // What does fit passes meanwhile.
  await new DeadLetters(owner(), sinkLane).store(letter('2'))
  expect(await read('vast')).toHaveLength(1)
  await makeRouteStreams(installation.coordinator, { ...streams, deadLetters: { maxBytes: 300_000 } })
  await vast
  expect(await read('vast')).toHaveLength(5)
})

test("A source's subject is not a sink's", async () => {
  const { lane } = await installation.route('foreign')
  await expect(new DeadLetters(owner(), lane).store(letter('1'))).rejects.toThrow(PermissionError)
})
