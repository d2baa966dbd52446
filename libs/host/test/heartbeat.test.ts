/** What one heartbeat that goes wrong costs: never the lease (R11), as long as the next ones go well. */
import { delay } from '@millrace/actor'
import { Bucket, type InstanceDocument, instanceDocument } from '@millrace/bus'
import { eventually, noLeaks, startProxy } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Heartbeat, ReplacedError } from '../src/heartbeat.ts'
import { Rig, sink } from './rig.ts'

noLeaks()

const key = 'kafka-egress.one'

/** Loses the answers to what it is given to store, while it is told to; the document is stored. */
class Forgetful extends Bucket<InstanceDocument> {
  loses = false

  override async update(name: string, value: InstanceDocument, revision: number): Promise<number> {
    const written = await super.update(name, value, revision)
    if (this.loses) await new Promise(() => {})
    return written
  }
}

/** A heartbeat in this process, and when each one that is known to be stored was sent. */
function beating(rig: Rig, startId: string) {
  const bucket = new Forgetful(rig.bus, 'mr_instances', instanceDocument)
  const sent: number[] = []
  const failures: unknown[] = []
  const heartbeat = new Heartbeat({
    bucket,
    key,
    startId,
    current: () => ({ version: '1', term: 0, revision: 0, state: 'running', actors: [] }),
    stored: sentAt => void sent.push(sentAt),
    failed: error => void failures.push(error),
  })
  return { bucket, heartbeat, sent, failures }
}

test('a heartbeat whose answer is lost is waited for 1 s, then read back: the lease runs from when it was sent', async () => {
  await using rig = await Rig.start()
  const { bucket, heartbeat, sent, failures } = beating(rig, 'a')
  await heartbeat.once()
  bucket.loses = true
  const begun = performance.now()
  await heartbeat.once()
  const gaveUp = performance.now()
  expect(gaveUp - begun).toBeGreaterThan(900)
  expect(failures).toMatchObject([{ name: 'UnknownOutcomeError' }])
  expect(sent).toHaveLength(1)
  bucket.loses = false
  await heartbeat.once()
  expect(sent).toHaveLength(3)
  const [, lost = 0, next = 0] = sent
  expect(lost).toBeGreaterThanOrEqual(begun)
  expect(lost).toBeLessThan(begun + 900)
  expect(next).toBeGreaterThanOrEqual(gaveUp)
  expect((await rig.document())?.beat).toBe(3)
})

test('a heartbeat that was not stored is not taken for one that was', async () => {
  await using rig = await Rig.start()
  const { heartbeat, sent, failures } = beating(rig, 'a')
  await heartbeat.once()
  rig.nats.pause()
  await heartbeat.once()
  await rig.nats.kill()
  await rig.nats.restart()
  await rig.bus.whenConnected(AbortSignal.timeout(20_000))
  const back = performance.now()
  await eventually(() => heartbeat.once().then(() => sent.length > 1), { what: 'another one is stored' })
  expect(failures.length).toBeGreaterThan(0)
  expect(sent[1]).toBeGreaterThanOrEqual(back)
})

test('a lost answer does not hide that another process has come', async () => {
  await using rig = await Rig.start()
  const older = beating(rig, 'a')
  await older.heartbeat.once()
  older.bucket.loses = true
  await older.heartbeat.once()
  await beating(rig, 'b').heartbeat.once()
  older.bucket.loses = false
  await expect(older.heartbeat.once()).rejects.toThrow(ReplacedError)
  expect(older.sent).toHaveLength(1)
})

test('neither a lost answer nor a second and a half without NATS costs an instance its lease', async () => {
  await using rig = await Rig.start()
  await rig.routes(1, 'r')
  await using proxy = await startProxy(rig.nats.port)
  await using service = rig.service('./probe.ts', { MILLRACE_NATS_URL: `nats://127.0.0.1:${proxy.port}` })
  await rig.assign([sink('r', 5)])
  await service.saw('write', 5)
  const beatsOn = async (what: string) => {
    const { beat } = await rig.seen('a heartbeat', () => true)
    await rig.seen(what, document => document.beat > beat + 2)
  }
  proxy.dropAnswers()
  await beatsOn('heartbeats after a lost answer')
  rig.nats.pause()
  await delay(1_500, new AbortController().signal)
  rig.nats.resume()
  await beatsOn('heartbeats after a silence')
  expect(service.events('aborted')).toEqual([])
  expect(service.events('started')).toHaveLength(1)
})
