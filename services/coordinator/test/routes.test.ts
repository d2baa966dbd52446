import { Bucket, dataStream, positionDocument, readEnd, streamInfo } from '@millrace/bus'
import { eventually, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { append, commit, openSink, openSource } from './lane.ts'
import { Rig, route } from './rig.ts'

noLeaks()

/** A fleet with route `r` placed, and its uid. */
async function running(subscribers: number, maxFileStore?: string) {
  const rig = await Rig.open(maxFileStore)
  const first = await rig.coordinator('c0')
  const source = rig.instance('mqtt-ingress', 'i')
  const sink = rig.instance('kafka-egress', 'a')
  expect(await rig.apply({ r: route(subscribers) })).toMatchObject({ ok: true })
  await rig.placed('mqtt-ingress', subscribers)
  await rig.placed('kafka-egress', subscribers)
  const uid = (await rig.routes())?.routes['r']?.uid ?? ''
  const epochOf = (id: string) =>
    [...source.running.values(), ...sink.running.values()].find(it => it.id === id)?.epoch ?? 0
  return { rig, first, source, sink, uid, epochOf }
}

async function messages(rig: Rig, route = 'r'): Promise<number | undefined> {
  return (await streamInfo(rig.bus('coordinator'), dataStream(route)))?.state.messages
}

test('a change gives new versions to what it names, and to nothing else', async () => {
  const { rig, sink } = await running(2)
  await using _ = rig
  await rig.apply({ s: route(2) })
  await rig.placed('mqtt-ingress', 4)
  await rig.placed('kafka-egress', 4)
  const before = await rig.routes()
  const starts = rig.starts
  const kept = [...sink.running.values()].filter(it => it.route === 's')

  const answer = await rig.apply({ r: route(2, '32MiB') })
  expect(answer['changes']).toMatchObject([
    { kind: 'Connection' },
    { kind: 'Connection' },
    { name: 'r', change: 'changed' },
    { name: 's', change: 'unchanged' },
  ])
  await eventually(() => rig.starts === starts + 4, { what: 'both sides of r start again' })
  const after = await rig.routes()
  expect(after?.routes['s']).toEqual(before?.routes['s'])
  expect(after?.routes['r']).toMatchObject({ uid: before?.routes['r']?.uid, version: 2 })
  expect([...sink.running.values()].filter(it => it.route === 's')).toEqual(kept)
  expect((await streamInfo(rig.bus('cli'), dataStream('r')))?.config.max_bytes).toBe(32 * 2 ** 20)

  const again = await rig.ask({
    op: 'apply',
    connections: { lake: { kafka: { brokers: ['127.0.0.1:9093'] } } },
    routes: {},
  })
  expect(again).toMatchObject({ ok: true })
  expect((await rig.routes())?.routes['s']).toMatchObject({ version: 2 })
  rig.check()
})

test('what does not hold together is refused whole, with every problem', async () => {
  const { rig } = await running(1)
  await using _ = rig
  const before = await rig.routes()
  const answer = await rig.apply({
    good: route(1),
    bad: { ...route(1), sink: { connection: 'nowhere', topic: 't' }, colour: 1 },
  })
  expect(answer).toMatchObject({ ok: false, problem: { code: 'invalid' } })
  expect(answer.problem?.message).toMatch(/colour/)
  expect(await rig.ask({ op: 'apply', routes: 'all of them' })).toMatchObject({ problem: { code: 'bad_request' } })
  expect(await rig.ask({ op: 'delete', routes: ['nothing'] })).toMatchObject({ problem: { code: 'not_found' } })
  expect(await rig.ask({ op: 'delete', routes: [], connections: ['lake'] })).toMatchObject({
    problem: { code: 'in_use' },
  })
  expect(await rig.apply({ r: route(1) })).toMatchObject({ ok: true })
  expect(await rig.ask({ op: 'apply', connections: {}, routes: { s: route(1) }, dryRun: true })).toMatchObject({
    ok: true,
  })
  expect(await rig.routes()).toEqual(before)
})

test('a buffer that JetStream has no room for is refused with what is left, and leaves nothing behind', async () => {
  const { rig } = await running(1, '150MB')
  await using _ = rig
  const answer = await rig.apply({ small: route(1), large: route(1, '200MiB') })
  expect(answer).toMatchObject({ ok: false, problem: { code: 'no_space' } })
  expect(answer.problem?.message).toMatch(/large.*200 MiB.*JetStream has \d+ MiB left/)
  expect(Object.keys((await rig.routes())?.routes ?? {})).toEqual(['r'])
  expect(await streamInfo(rig.bus('cli'), dataStream('small'))).toBeUndefined()
  expect(await rig.apply({ r: route(1, '200MiB') })).toMatchObject({ ok: false, problem: { code: 'no_space' } })
  expect((await streamInfo(rig.bus('cli'), dataStream('r')))?.config.max_bytes).toBe(16 * 2 ** 20)
})

test('a stream that an earlier route left, with records in it, is never taken over', async () => {
  const { rig } = await running(1)
  await using _ = rig
  const { jsm } = rig.bus('coordinator')
  await jsm.streams.add({ name: dataStream('old'), subjects: ['mr.d.*.old.*'], metadata: { uid: 'of-long-ago' } })
  await rig.bus('mqtt-ingress').js.publish('mr.d.mqtt-ingress.old.0', 'something')
  expect(await rig.apply({ old: route(1) })).toMatchObject({ ok: false, problem: { code: 'left_over' } })
  expect((await jsm.streams.info(dataStream('old'))).state.messages).toBe(1)
})

test('a deleted route delivers what is stored before it goes, whoever leads, and its uid never comes back', async () => {
  const { rig, first, source, uid, epochOf } = await running(1)
  await using _ = rig
  const writer = await openSource(rig, { uid, epoch: epochOf('source.r.0'), lane: '0' })
  const reader = await openSink(rig, { uid, epoch: epochOf('sink.r.0'), lane: '0' })
  await append(writer, 10)
  const end =
    (await readEnd(rig.bus('mqtt-ingress'), { service: 'mqtt-ingress', route: 'r', lane: '0' }))?.sequence ?? 0

  const asked = await rig.ask({ op: 'delete', routes: ['r'], dryRun: true })
  expect(asked).toMatchObject({ deleted: [{ kind: 'Route', name: 'r', pending: 10 }] })
  expect((await rig.routes())?.routes['r']?.deleting).toBeUndefined()
  expect(await rig.ask({ op: 'delete', routes: ['r'], connections: ['lake', 'plant'] })).toMatchObject({ ok: true })
  await eventually(() => [...source.running.values()][0]?.retire === true, { what: 'the source is told to retire' })
  expect(await rig.apply({ r: route(1) })).toMatchObject({ ok: false, problem: { code: 'deleting' } })
  expect(Object.keys((await rig.routes())?.connections ?? {})).toEqual(['plant', 'lake'])

  // It takes what its session holds, and only then says that it has stopped; another coordinator leads by then.
  await rig.coordinator('c1')
  await first.end('SIGTERM')
  await rig.leader('c1')
  await append(writer, 5)
  source.retired = true
  source.say()
  await commit(reader, end, 10)
  await eventually(async () => (await rig.routes())?.routes['r'] !== undefined, {
    what: 'five records are left, so it stays',
  })
  expect((await rig.routes())?.routes['r']?.retiring).toEqual(['0'])
  await commit(reader, end + 1, 15)
  await eventually(async () => (await rig.routes())?.routes['r'] === undefined, { what: 'the route is gone' })
  expect((await rig.routes())?.connections).toEqual({})
  expect(await streamInfo(rig.bus('cli'), dataStream('r'))).toBeUndefined()
  expect((await new Bucket(rig.bus('coordinator'), 'mr_positions', positionDocument).list()).size).toBe(0)

  expect(await rig.apply({ r: route(1) })).toMatchObject({ ok: true })
  await rig.placed('kafka-egress', 1)
  expect((await rig.routes())?.routes['r']?.uid).not.toBe(uid)
  rig.check()
})

test('--discard says how many records it throws away, and lets the sessions of the sources end', async () => {
  const { rig, source, sink, uid, epochOf } = await running(1)
  await using _ = rig
  const writer = await openSource(rig, { uid, epoch: epochOf('source.r.0'), lane: '0' })
  await append(writer, 7)
  const answer = await rig.ask({ op: 'delete', routes: ['r'], discard: true })
  expect(answer).toMatchObject({ ok: true, deleted: [{ kind: 'Route', name: 'r', pending: 7 }] })
  const told = () => source.running.get('source.r.0')
  await eventually(() => told()?.discard === true && sink.running.size === 0, { what: 'only the source has work' })
  expect(told()?.retire).toBe(true)
  expect((await rig.routes())?.routes['r']).toBeDefined()
  source.retired = true
  source.say()
  await eventually(async () => (await rig.routes())?.routes['r'] === undefined, { what: 'the route is gone' })
  expect(await streamInfo(rig.bus('cli'), dataStream('r'))).toBeUndefined()
  rig.check()
})

test('--discard waits for no session where nobody could end it, or when it is asked for twice', async () => {
  const { rig, source, sink } = await running(1)
  await using _ = rig
  await rig.apply({ s: route(1) })
  await rig.placed('mqtt-ingress', 2)
  const discard = (name: string) => rig.ask({ op: 'delete', routes: [name], discard: true })
  const gone = async (name: string) => (await rig.routes())?.routes[name] === undefined
  await discard('s')
  await eventually(() => sink.running.size === 1, { what: 'the sink of s is gone' })
  expect(await gone('s')).toBe(false)
  await discard('s')
  await eventually(() => gone('s'), { what: 's, of which the source says nothing, is gone' })
  await discard('r')
  source.say('stopped')
  await eventually(() => gone('r'), { what: 'r, whose source has stopped, is gone' })
})

test('a retired slot is drained, and goes on where it was when it comes back', async () => {
  const { rig, source, sink, uid, epochOf } = await running(2)
  await using _ = rig
  const name = { service: 'mqtt-ingress', route: 'r', lane: '1' } as const
  const writer = await openSource(rig, { uid, epoch: epochOf('source.r.1'), lane: '1' })
  await append(writer, 4)
  const reader = await openSink(rig, { uid, epoch: epochOf('sink.r.1'), lane: '1' })
  const end = await readEnd(rig.bus('mqtt-ingress'), name)

  await rig.apply({ r: route(1) })
  await eventually(() => source.running.get('source.r.1')?.retire === true, { what: 'slot 1 is told to retire' })
  source.retired = true
  source.say()
  await eventually(() => sink.running.get('sink.r.1')?.version === 2, { what: 'its sink runs on' })
  expect(source.running.get('source.r.0')?.retire).toBeUndefined()
  await commit(reader, end?.sequence ?? 0, 4)
  await eventually(() => rig.instances.every(({ running }) => running.size === 1), { what: 'slot 1 is gone' })
  expect((await rig.routes())?.routes['r']?.retiring).toEqual([])
  expect(await readEnd(rig.bus('mqtt-ingress'), name)).toEqual(end)

  await rig.apply({ r: route(2) })
  await rig.placed('mqtt-ingress', 2)
  const again = await openSource(rig, { uid, epoch: epochOf('source.r.1'), lane: '1' })
  expect(again.records).toBe(4)
  expect((await openSink(rig, { uid, epoch: epochOf('sink.r.1'), lane: '1' })).totals.out).toBe(4)
  rig.check()
})

test('trimming removes what was delivered, never the newest message, and nothing for a position that is not ours', async () => {
  const { rig, uid, epochOf } = await running(1)
  await using _ = rig
  const lane = { service: 'mqtt-ingress', route: 'r', lane: '0' } as const
  const writer = await openSource(rig, { uid, epoch: epochOf('source.r.0'), lane: '0' })
  const reader = await openSink(rig, { uid, epoch: epochOf('sink.r.0'), lane: '0' })
  const first = (await readEnd(rig.bus('mqtt-ingress'), lane))?.sequence ?? 0
  for (let count = 1; count <= 9; count += 1) await append(writer, 1)
  expect(await messages(rig)).toBe(10)
  await commit(reader, first + 4, 4)
  await eventually(async () => (await messages(rig)) === 6, { what: 'what was delivered is gone' })
  await commit(reader, first + 9, 9)
  await eventually(async () => (await messages(rig)) === 1, { what: 'all but the newest are gone' })
  const end = await readEnd(rig.bus('mqtt-ingress'), lane)
  expect(end).toMatchObject({ sequence: first + 9, base: 8, count: 1 })

  // Another route, trimmed after this one, shows that there was a turn.
  await rig.apply({ s: route(1) })
  await rig.placed('kafka-egress', 2)
  const other = { uid: (await rig.routes())?.routes['s']?.uid ?? '', lane: '0', route: 's' }
  const otherWriter = await openSource(rig, { ...other, epoch: epochOf('source.s.0') })
  const otherReader = await openSink(rig, { ...other, epoch: epochOf('sink.s.0') })
  const turn = async (records: number) => {
    await append(otherWriter, 1)
    const otherEnd = await readEnd(rig.bus('mqtt-ingress'), { ...lane, route: 's' })
    await commit(otherReader, otherEnd?.sequence ?? 0, records)
    await eventually(async () => (await messages(rig, 's')) === 1, { what: 'the other route is trimmed' })
  }
  for (let count = 1; count <= 3; count += 1) await append(writer, 1)
  const positions = new Bucket(rig.bus('coordinator'), 'mr_positions', positionDocument)
  for (const [index, wrong] of [{ sequence: first + 98 }, { uid: 'another', sequence: first + 11 }].entries()) {
    const there = await positions.read('kafka-egress.r.0')
    if (there === undefined) throw new Error('There is no position.')
    await positions.update(there.key, { ...there.value, ...wrong }, there.revision)
    await turn(index + 1)
    expect(await messages(rig)).toBe(4)
  }
  rig.check()
})
