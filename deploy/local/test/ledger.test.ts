/**
 * The promise, from outside: what the broker acknowledged to a publisher is in Kafka, in order, whatever was killed
 * meanwhile. Duplicates are allowed (the routes are at-least-once), and counted.
 */
import { Bucket, leaderDocument } from '@millrace/bus'
import { Ledger, eventually, noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { publish } from './publishers.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

let whole: Whole
beforeAll(async () => {
  whole = await startWhole({ instances: { coordinator: 2, 'mqtt-ingress': 2, 'kafka-egress': 2 } })
})
afterAll(() => whole[Symbol.asyncDispose]())

/** Longer than an instance's lease of 5 s, so that its lanes are given away while it stands still. */
const BEYOND_THE_LEASE_MS = 8_000
const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

/** The process that owns the route's source or sink now. */
async function owner(role: 'source' | 'sink', route: string) {
  const found = await eventually(
    async () => {
      for (const [key, instance] of await whole.instances()) {
        const owns = instance.actors.some(
          actor => actor.id.startsWith(`${role}.${route}.`) && actor.state !== 'stopped',
        )
        if (owns) return key
      }
      return ''
    },
    { what: `somebody owns the ${role} of ${route}`, timeout: 30_000 },
  )
  return whole.service(found.replace('.', '-'))
}

async function leader() {
  const entry = await new Bucket(whole.bus, 'mr_leader', leaderDocument).read('leader')
  return whole.service(`coordinator-${entry?.value.instance}`)
}

async function stopBeyondLease(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  await sleep(BEYOND_THE_LEASE_MS)
  process.kill(pid, 'SIGCONT')
}

/** What is done to the system, in turn, while the publishers go on. */
function faults(route: string): [name: string, act: () => Promise<unknown>][] {
  const kill = async (victim: Promise<{ pid: number }>) => process.kill((await victim).pid, 'SIGKILL')
  const restart = async (server: { kill(): Promise<void>; restart(): Promise<void> }) => {
    await server.kill()
    await server.restart()
  }
  const one: [string, () => Promise<unknown>][] = [
    ['SIGKILL mqtt-ingress', () => kill(owner('source', route))],
    ['SIGKILL kafka-egress', () => kill(owner('sink', route))],
    ['SIGKILL nats-server', () => restart(whole.nats)],
    ['cut the MQTT connections', () => Promise.resolve(whole.mqttProxy.cut())],
    ['SIGKILL the leading coordinator', () => kill(leader())],
    ['SIGKILL Kafka', () => restart(whole.kafka)],
  ]
  const once: [string, () => Promise<unknown>][] = [
    ['SIGSTOP mqtt-ingress beyond its lease', async () => stopBeyondLease((await owner('source', route)).pid)],
    ['SIGSTOP kafka-egress beyond its lease', async () => stopBeyondLease((await owner('sink', route)).pid)],
    ['SIGSTOP the leading coordinator', async () => stopBeyondLease((await leader()).pid)],
    ['restart mosquitto', () => whole.mosquitto.restart()],
  ]
  return [...one, ...once.slice(0, 2), ...one, ...once.slice(2), ...one]
}

/** Waits until the topic holds every acknowledged message, and returns what the ledger finds. */
async function settle(topic: string, ledger: Ledger): Promise<void> {
  const behind = async () => {
    const actors = [...(await whole.instances()).values()].flatMap(instance => instance.actors)
    const sinks = actors.filter(actor => actor.id.startsWith(`sink.${topic}.`) && actor.state === 'running')
    const sources = actors.filter(actor => actor.id.startsWith(`source.${topic}.`) && actor.state === 'running')
    return (
      sinks.length === 1 &&
      sources.length === 1 &&
      [...sinks, ...sources].every(actor => actor.counts?.['pending'] === 0)
    )
  }
  await eventually(behind, { what: 'nothing waits any more', timeout: 60_000 })
  await whole.kafka.forEach(topic, ({ key, value, partition, offset }) => {
    ledger.delivered(String(key), Number(String(value).trim()), `${partition}@${offset}`)
  })
}

function print(title: string, ledger: Ledger, events: string[]): void {
  const { lost, outOfOrder, ...counted } = ledger.report()
  process.stdout.write(
    `${[title, ...events.map(event => `  ${event}`), `  ${JSON.stringify({ ...counted, lost: lost.length, outOfOrder: outOfOrder.length })}`].join('\n')}\n`,
  )
}

test('200,000 QoS 1 messages of 50 publishers while everything is killed in turn', { timeout: 600_000 }, async () => {
  await whole.apply(ledgerRoute('ledger'))
  await whole.untilRunning('ledger')
  const ledger = new Ledger()
  const done: string[] = []
  const url = whole.mosquitto.url
  const publishing = publish({ url, root: 'ledger', publishers: 50, each: 4_000, qos: 1, rate: 2_500, ledger })
  for (const [name, act] of faults('ledger')) {
    await act()
    done.push(name)
    await sleep(1_500)
  }
  await publishing
  await settle('ledger', ledger)
  print('ledger of 200,000 QoS 1 messages', ledger, done)
  const report = ledger.report()
  expect(report).toMatchObject({ acknowledged: 200_000, delivered: 200_000, lost: [], outOfOrder: [] })
})
