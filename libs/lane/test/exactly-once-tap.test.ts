import { setImmediate } from 'node:timers/promises'
import { install, type Installation, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Tap } from '../src/index.ts'
import { append, delivering, open } from './delivering.ts'
import { valueOf } from './records.ts'
import { busy, TestSink } from './sink.ts'
import { type Fate, ModelSink } from './transactional-sink.ts'

noLeaks()

let installation: Installation
beforeAll(async () => {
  installation = await install()
})
afterAll(() => installation[Symbol.asyncDispose]())

test.each<[end: string, fate: Fate, calls: string[]]>([
  ['is answered', 'done', ['commit']],
  ['is done, and its answer lost', 'lost', ['commit', 'recover']],
  ['is late, and done when the sink is next asked', 'late', ['commit', 'recover']],
  ['is not done', 'unknown', ['commit', 'recover', 'write', 'commit']],
])('samples are told once their transaction has ended, each once: the end %s', async (_, fate, calls) => {
  const { signal } = installation
  const { lane } = await installation.route(`tapped-${fate}`)
  const appender = await open(await installation.connect('mqtt-ingress'), lane, signal)
  await append(appender, 'a', 'bad', 'no', 'c')
  const [tap, sink] = [new Tap(), new ModelSink()]
  // The late one comes in with the call that asks for it.
  sink.fates.push('done', 'done', fate, fate === 'late' ? 'late' : 'done')
  sink.refused = view => valueOf(view) === 'bad'
  const told = { samples: false, beforeTheEnd: new Array<boolean>() }
  sink.beforeCommit = async () => {
    await setImmediate()
    told.beforeTheEnd.push(told.samples)
  }
  const bus = await installation.connect('kafka-egress')
  const answer = tap.after(0, signal).finally(() => (told.samples = true))
  const options = { sink, tap, filter: ({ value }: { value: string | null }) => value !== 'no' }
  const { drain } = delivering({ bus, lane, signal, sink: new TestSink(), options })

  const [to, key] = [{ topic: 'there' }, Buffer.from('k').toString('base64')]
  const samples = [
    { sequence: 2, record: 0, outcome: 'delivered', to, key, headers: [] },
    { sequence: 2, record: 1, outcome: 'dead', problem: expect.objectContaining(busy) },
    { sequence: 2, record: 2, outcome: 'filtered' },
    { sequence: 2, record: 3, outcome: 'delivered', to, key, headers: [] },
  ]
  expect(await answer).toEqual(samples)
  await drain()
  expect(await tap.after(0, signal)).toEqual(samples)
  expect(sink.calls).toEqual(['recover', 'write', ...calls])
  expect(told.beforeTheEnd).toEqual(calls.filter(call => call === 'commit').map(() => false))
})
