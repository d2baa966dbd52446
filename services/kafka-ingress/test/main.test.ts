import { Instance, noLeaks, startKafka } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { numbers, Producing } from './producing.ts'
import { Rig } from './rig.ts'

noLeaks()

const main = new URL('../src/main.ts', import.meta.url)

test('the service lists, reads, and is killed again and again: every record once, in order', async () => {
  await using kafka = await startKafka()
  await using rig = await Rig.start(kafka.brokers[0] ?? '')
  const producing = new Producing(kafka.brokers)
  await kafka.createTopic('t', 2)
  await rig.keep([])
  const actors = () => [rig.actor('lister'), ...['t/0', 't/1'].map(lane => rig.actor('source', { lane }))]
  await using service = new Instance({
    installation: rig.installation,
    service: 'kafka-ingress',
    main,
    name: 'one',
  })
  await service.assign(...actors())
  const lister = await service.state('lister.r.lister', 'running')
  expect(lister?.lanes).toEqual(['t/0', 't/1'])
  let sent = 0
  for (let kill = 0; kill < 4; kill++) {
    for (let batch = 0; batch < 5; batch++, sent += 100) {
      await Promise.all([0, 1].map(partition => producing.send('t', numbers(sent + 1, sent + 100), partition)))
    }
    await rig.stored(sent - 250, 't/0')
    await service.kill('SIGKILL')
    service.restart()
    await service.assign(...actors())
  }
  for (const lane of ['t/0', 't/1']) {
    await rig.stored(sent, lane)
    expect(await rig.values(lane)).toEqual(numbers(1, sent))
  }
  await service.kill('SIGTERM')
  expect(service.exitCode).toBe(0)
})
