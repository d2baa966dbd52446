import { eventually, install, type Installation, noLeaks } from '@millrace/testkit'
import { headers } from '@nats-io/nats-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  Bucket,
  type Bus,
  type Change,
  ConflictError,
  type LeaderDocument,
  leaderDocument,
  type PositionDocument,
} from '../src/index.ts'
import { noTotals } from './lanes.ts'

noLeaks()

let installation: Installation
let bus: Bus

beforeAll(async () => {
  installation = await install()
  bus = installation.coordinator
})
afterAll(() => installation[Symbol.asyncDispose]())

const leader = (beat: number): LeaderDocument => ({ instance: 'a', startId: 's', term: 1, beat })
const position = (sequence: number): PositionDocument => ({ uid: 'U', sequence, epoch: 1, totals: noTotals })

test('A document is created once, and changed only by who has seen its last revision', async () => {
  const bucket = new Bucket(bus, 'mr_leader', leaderDocument)
  expect(await bucket.read('leader')).toBeUndefined()
  const revision = await bucket.create('leader', leader(1))
  await expect(bucket.create('leader', leader(2))).rejects.toThrow(ConflictError)
  const next = await bucket.update('leader', leader(3), revision)
  await expect(bucket.update('leader', leader(4), revision)).rejects.toThrow(ConflictError)
  expect(await bucket.read('leader')).toEqual({ key: 'leader', value: leader(3), revision: next })
})

test('Of many that write at once, one wins', async () => {
  const bucket = new Bucket(bus, 'mr_leader', leaderDocument)
  const revision = await bucket.create('race', leader(0))
  const results = await Promise.allSettled([1, 2, 3, 4].map(beat => bucket.update('race', leader(beat), revision)))
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

test('A deleted key reads as absent, is not listed, and can be created again', async () => {
  const bucket = installation.positions()
  const revision = await bucket.create('kafka-egress.deleted.0', position(1))
  await expect(bucket.delete('kafka-egress.deleted.0', revision - 1)).rejects.toThrow(ConflictError)
  await bucket.delete('kafka-egress.deleted.0', revision)
  expect(await bucket.read('kafka-egress.deleted.0')).toBeUndefined()
  expect(await bucket.list('kafka-egress.deleted.>')).toEqual(new Map())
  await bucket.create('kafka-egress.deleted.0', position(2))
  expect((await bucket.read('kafka-egress.deleted.0'))?.value.sequence).toBe(2)
})

test('A list has every document of the keys that match', async () => {
  const bucket = installation.positions()
  for (let i = 0; i < 600; i++) await bucket.create(`kafka-egress.list.${i}`, position(i))
  const listed = await bucket.list('kafka-egress.list.>')
  expect(listed.size).toBe(600)
  expect(listed.get('kafka-egress.list.17')).toMatchObject({ key: 'kafka-egress.list.17', value: { sequence: 17 } })
  expect(await bucket.list('kafka-egress.nothing.>')).toEqual(new Map())
})

test('A watch tells what is there, then each change, and goes on after nats-server was killed', async () => {
  await using own = await install()
  const bucket = own.positions()
  let revision = await bucket.create('kafka-egress.watch.0', position(1))
  const seen: (number | undefined)[] = []
  let caughtUp = 0
  const watching = bucket.watch('kafka-egress.watch.>', own.signal, {
    changed: ({ value }: Change<PositionDocument>) => seen.push(value?.sequence),
    caughtUp: () => caughtUp++,
  })
  await eventually(() => caughtUp === 1, { what: 'all of it to be told' })
  expect(seen).toEqual([1])
  revision = await bucket.update('kafka-egress.watch.0', position(2), revision)
  await eventually(() => seen.at(-1) === 2, { what: 'the change to be told' })
  await own.nats.kill()
  await own.nats.restart()
  await eventually(() => caughtUp > 1 && own.coordinator.connected, { what: 'the watch to go on' })
  await bucket.delete('kafka-egress.watch.0', revision)
  await eventually(() => seen.at(-1) === undefined, { what: 'the deletion to be told' })
  await own[Symbol.asyncDispose]()
  await watching
})

test('A watch of a bucket that does not exist yet waits for it', async () => {
  await using own = await install()
  await own.coordinator.call(own.coordinator.jsm.streams.delete('KV_mr_leader'))
  const bucket = new Bucket(own.coordinator, 'mr_leader', leaderDocument)
  let caughtUp = false
  const watching = bucket.watch('>', own.signal, { changed() {}, caughtUp: () => (caughtUp = true) })
  await expect(bucket.read('leader')).rejects.toThrow(/stream not found/)
  await own.makeBuckets()
  await eventually(() => caughtUp, { what: 'the watch to begin' })
  await own[Symbol.asyncDispose]()
  await watching
})

test.each(['not json', '{"instance":1}', '', '[]'])('A document that is %j is ignored and counted', async text => {
  await using admin = await installation.admin()
  const key = `bad-${text.length}`
  await admin.request(`$KV.mr_leader.${key}`, text)
  const bucket = new Bucket(bus, 'mr_leader', leaderDocument)
  expect(await bucket.read(key)).toBeUndefined()
  expect((await bucket.list()).has(key)).toBe(false)
  expect(bucket.bad).toBeGreaterThanOrEqual(2)
  const revision = await bucket.badRevision(key)
  await bucket.update(key, leader(1), revision ?? 0)
  expect(await bucket.badRevision(key)).toBeUndefined()
  expect(await bucket.badRevision('nothing')).toBeUndefined()
  await expect(bucket.create(key, leader(1))).rejects.toThrow(ConflictError)
})

test('No message of a bucket can wipe it, or be deleted by its number', async () => {
  await using admin = await installation.admin()
  const bucket = installation.positions()
  await bucket.create('kafka-egress.wipe.0', position(1))
  const rollup = headers()
  rollup.set('Nats-Rollup', 'all')
  const answer = await admin.request('$KV.mr_positions.kafka-egress.wipe.1', '{}', { headers: rollup, timeout: 5_000 })
  expect(answer.string()).toMatch(/rollup not permitted/)
  const deleted = await admin.request('$JS.API.STREAM.MSG.DELETE.KV_mr_positions', '{"seq":1}')
  expect(deleted.string()).toMatch(/error/)
  expect(await bucket.read('kafka-egress.wipe.0')).toBeDefined()
})
