/** What a cluster does less than its route asks for stands in the heartbeat while it is so: a broker by script. */
import { eventually, install, type Installation, noLeaks } from '@millrace/testkit'
import { readHeader } from '@millrace/record'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeBroker } from '../../../libs/kafka/test/fake-broker.ts'
import { apis } from '../../../libs/kafka/src/requests/request.ts'
import { actorOf, applyExactRoutes, applyRoutes, instanceOf, openSource, reassign } from './service-rig.ts'

noLeaks()

let broker: FakeBroker
let installation: Installation
beforeAll(async () => {
  broker = await FakeBroker.start({ t: 1 })
  installation = await install()
})
afterAll(async () => {
  await installation[Symbol.asyncDispose]()
  await broker[Symbol.asyncDispose]()
})

const offer = ({ key, least, most }: { key: number; least: number; most: number }) =>
  broker.versions.set(key, [least, most])

test('no fence, no numbers, no compression, too old: each is told while it is so, and beside what it holds for', {
  timeout: 120_000,
}, async () => {
  await applyRoutes(installation, `127.0.0.1:${broker.port}`, { found: 'topic: t, compression: gzip' })
  const source = await openSource(installation, 'found')
  await using instance = instanceOf(installation, 'found')
  const id = 'sink.found.0'
  /** Gives it another epoch, and returns what is told of it under that. */
  const again = async (epoch: number) => {
    await reassign(installation, 'found', actorOf('found', epoch))
    const told = async () => {
      const actor = await instance.state(id, 'running')
      return actor.epoch === epoch ? actor : undefined
    }
    return await eventually(told, { what: `epoch ${epoch}`, timeout: 30_000 })
  }

  broker.versions.set(apis.produce.key, [0, 2])
  await instance.assign(actorOf('found', 1))
  expect(await instance.state(id, 'holding', 'unsupported_version')).not.toHaveProperty('lowers')

  offer(apis.produce)
  broker.versions.set(apis.initProducerId.key, [0, 1])
  broker.answers.set('FindCoordinator', () => 'cut')
  broker.script = () => (readHeader(broker.received.at(-1)!).compression === 'none' ? undefined : { error: 76 })
  await source.append(['a'])
  const lowered = { lowers: [{ code: 'no_fence' }] }
  expect(await instance.state(id, 'running', 'compression_refused')).toMatchObject(lowered)

  broker.script = () => ({ error: 44 })
  await source.append(['b'])
  expect(await instance.state(id, 'holding', 'policy_violation')).toMatchObject(lowered)

  broker.script = () => undefined
  broker.versions.delete(apis.initProducerId.key)
  expect(await again(2)).toMatchObject({ lowers: [{ code: 'no_idempotence' }] })

  offer(apis.initProducerId)
  broker.answers.delete('FindCoordinator')
  expect(await again(3)).not.toHaveProperty('lowers')
  expect(new Set(broker.values('t'))).toEqual(new Set(['a', 'b']))
})

test('a cluster without transactions holds a lane that asks for them, and says for what', {
  timeout: 60_000,
}, async () => {
  await using hub = await FakeBroker.start({ t: 1 })
  hub.versions.set(apis.initProducerId.key, [0, 1])
  hub.answers.set('FindCoordinator', () => 'cut')
  await using apart = await install()
  await applyExactRoutes(apart, `127.0.0.1:${hub.port}`, { exact: 'topic: t' })
  await using instance = instanceOf(apart, 'exact')
  await instance.assign(actorOf('exact', 1))
  const told = await instance.state('sink.exact.0', 'holding', 'no_transactions')
  expect(told.problem?.message).toContain('delivery: exactlyOnce')
  expect(told, 'nothing is delivered, so nothing is lowered').not.toHaveProperty('lowers')
})
