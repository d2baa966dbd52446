import { Bucket, instanceDocument } from '@millrace/bus'
import { eventually, freePort, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { publishAbsurd } from './lane.ts'
import { Rig, route } from './rig.ts'

noLeaks()

test('a standby takes over from a leader that died, and the lanes of an instance that died with it', async () => {
  await using rig = await Rig.open()
  const first = await rig.coordinator('c0')
  rig.instance('mqtt-ingress', 'i')
  const a = rig.instance('kafka-egress', 'a')
  const b = rig.instance('kafka-egress', 'b')
  await rig.coordinator('c1')
  await rig.apply({ r: route(4) })
  await eventually(() => a.running.size === 2 && b.running.size === 2, { what: 'balanced' })
  const { term } = await rig.leader('c0')

  await first.end('SIGKILL')
  b.kill()
  await eventually(() => a.running.size === 4, { what: 'all lanes are at a' })
  expect((await rig.leader('c1')).term).toBeGreaterThan(term)
  rig.check()
})

test('a leader that stops in order hands over at once, and nothing moves', async () => {
  await using rig = await Rig.open()
  const first = await rig.coordinator('c0')
  rig.instance('mqtt-ingress', 'i')
  rig.instance('kafka-egress', 'a')
  await rig.coordinator('c1')
  await rig.apply({ r: route(3) })
  await rig.placed('kafka-egress', 3)
  await rig.placed('mqtt-ingress', 3)
  const starts = rig.starts
  expect(await first.end('SIGTERM')).toBe(0)
  await rig.leader('c1', 5_000)
  await rig.apply({ s: route(1) })
  await rig.placed('kafka-egress', 4)
  await rig.placed('mqtt-ingress', 4)
  expect(rig.starts).toBe(starts + 2)
  rig.check()
})

test('who leads and who stands by are both ready', async () => {
  await using rig = await Rig.open()
  const ports = [await freePort(), await freePort()]
  for (const [index, port] of ports.entries()) {
    await rig.coordinator(`c${index}`, { MILLRACE_HTTP_PORT: String(port) })
  }
  const say = async (port: number) => (await fetch(`http://127.0.0.1:${port}/readyz`)).status
  const all = (status: number) => async () => (await Promise.all(ports.map(say))).every(said => said === status)
  await eventually(all(200), { what: 'both are ready' })
  await rig.nats.kill()
  await eventually(all(503), { what: 'neither is ready' })
  expect(await Promise.all(ports.map(say))).toEqual([503, 503])
})

test('a leader that stood still and wakes up changes nothing any more', async () => {
  await using rig = await Rig.open()
  const first = await rig.coordinator('c0')
  rig.instance('mqtt-ingress', 'i')
  const a = rig.instance('kafka-egress', 'a')
  await rig.coordinator('c1')
  await rig.apply({ r: route(4) })
  await rig.placed('kafka-egress', 4)
  const { term } = await rig.leader('c0')

  first.signal('SIGSTOP')
  await rig.leader('c1')
  const b = rig.instance('kafka-egress', 'b')
  await eventually(() => a.running.size === 2 && b.running.size === 2, { what: 'c1 places' })
  first.signal('SIGCONT')
  // c0 wakes up believing that it leads; the next changes show whose word counts.
  for (const [index, name] of ['s', 't', 'u'].entries()) {
    expect(await rig.apply({ [name]: route(2) })).toMatchObject({ ok: true })
    await rig.placed('kafka-egress', 6 + 2 * index)
  }
  const now = await rig.leader('c1')
  expect(now.term).toBeGreaterThan(term)
  expect(rig.instances.every(({ told }) => told?.value.term === now.term)).toBe(true)
  rig.check()
})

test("a message that is not ours at a lane's end keeps nobody from leading", async () => {
  await using rig = await Rig.open()
  const first = await rig.coordinator('c0')
  rig.instance('mqtt-ingress', 'i')
  rig.instance('kafka-egress', 'a')
  await rig.apply({ r: route(1) })
  await rig.placed('kafka-egress', 1)
  await rig.bus('mqtt-ingress').js.publish('mr.d.mqtt-ingress.r.0', 'a stranger')
  await rig.bus('mqtt-ingress').js.publish('mr.d.mqtt-ingress.r.no=lane', 'a stranger')
  await first.end('SIGKILL')
  await rig.coordinator('c1')
  await rig.leader('c1')
  expect(await rig.apply({ s: route(1) })).toMatchObject({ ok: true })
  await rig.placed('kafka-egress', 2)
})

test("a stranger's absurd epoch uses up no terms, and stops no other route", async () => {
  await using rig = await Rig.open()
  const first = await rig.coordinator('c0')
  rig.instance('mqtt-ingress', 'i')
  rig.instance('kafka-egress', 'a')
  await rig.apply({ r: route(1) })
  await rig.placed('kafka-egress', 1)
  const { term } = await rig.leader('c0')
  await publishAbsurd(rig, 'r')
  await rig.bus('kafka-egress').js.publish('mr.x.kafka-egress.r.0', 'a dead letter is nothing strange')
  await rig.bus('mqtt-ingress').js.publish('mr.d.mqtt-ingress.r.elsewhere', 'a stranger')
  await first.end('SIGKILL')
  await rig.coordinator('c1')
  const next = await rig.leader('c1')
  expect(next.term).toBeGreaterThan(term)
  expect(next.term).toBeLessThan(term + 5)
  expect(await rig.apply({ s: route(1) })).toMatchObject({ ok: true })
  await rig.placed('kafka-egress', 2)
  expect(rig.instances.flatMap(({ running }) => [...running.values()]).every(it => it.epoch < 2 ** 52)).toBe(true)
  const instances = new Bucket(rig.bus('cli'), 'mr_instances', instanceDocument)
  const told = async () => {
    const [actor] = (await instances.read('coordinator.c1'))?.value.actors ?? []
    const lines = actor?.problem?.message.split('\n') ?? []
    return [/^Route r: .*"mr.d.mqtt-ingress.r.elsewhere"/, /^Route r: .*not written by Millrace/].every(it =>
      lines.some(l => it.test(l)),
    )
  }
  await eventually(told, { what: 'c1 tells both' })
  rig.check()
})

test('routes that somebody has spoilt are never taken for none', async () => {
  await using rig = await Rig.open()
  const first = await rig.coordinator('c0')
  rig.instance('mqtt-ingress', 'i')
  const a = rig.instance('kafka-egress', 'a')
  await rig.apply({ r: route(2) })
  await rig.placed('kafka-egress', 2)
  await rig.placed('mqtt-ingress', 2)
  const starts = rig.starts
  await first.end('SIGKILL')
  await rig.bus('coordinator').js.publish('$KV.mr_routes.current', 'no routes')
  await rig.coordinator('c1')
  const instances = new Bucket(rig.bus('cli'), 'mr_instances', instanceDocument)
  const told = async () => {
    const [actor] = (await instances.read('coordinator.c1'))?.value.actors ?? []
    return actor?.problem?.code === 'routes_unreadable'
  }
  await eventually(told, { what: 'c1 tells it' })
  const kept = await rig.bus('cli').jsm.streams.getMessage('KV_mr_routes', { last_by_subj: '$KV.mr_routes.current' })
  expect(kept?.string()).toBe('no routes')
  expect([a.running.size, rig.starts]).toEqual([2, starts])
})
