/** What can be seen of a Millrace from outside: dead letters, reports of actors, metrics, logs, the command line. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { type ActorReport, type Bus, deadLetterStream, streamInfo } from '@millrace/bus'
import { BatchReader, type Record, recordOf } from '@millrace/record'
import { eventually, type KafkaRecord } from '@millrace/testkit'
import { root } from '../index.mjs'
import { type FleetOptions, natsEnvironment } from '../up/fleet.ts'
import type { Whole } from './whole.ts'

/** A dead letter as it is stored, its parts joined. */
export interface Letter {
  /** The service that made it. */
  service: string
  reason: string
  detail: string
  /** How many records it says that it holds. */
  count: number
  /** A record batch, unless the reason is `bad_batch`. */
  payload: Buffer
}

/** Every dead letter of a route, in the order of storing. */
export async function deadLetters(bus: Bus, route: string): Promise<Letter[]> {
  const stream = deadLetterStream(route)
  const info = await streamInfo(bus, stream)
  const { first_seq: first = 1, last_seq: last = 0 } = info?.state ?? {}
  const letters: Letter[] = []
  const parts: Buffer[] = []
  for (let seq = first; seq <= last; seq++) {
    const message = await bus.call(bus.jsm.streams.getMessage(stream, { seq }))
    if (message === null) throw new Error(`dead letter ${seq} of ${stream} is gone`)
    parts.push(Buffer.from(message.data))
    const [part = 1, of = 1] = (message.header.get('mr-part') || '1/1').split('/').map(Number)
    if (part < of) continue
    letters.push({
      service: message.subject.split('.')[2] ?? '',
      reason: message.header.get('mr-reason'),
      detail: message.header.get('mr-detail'),
      count: Number(message.header.get('mr-count')),
      payload: Buffer.concat(parts.splice(0)),
    })
  }
  return letters
}

/** The records of a dead letter, whole. */
export function recordsIn({ payload }: Letter): Record[] {
  const reader = new BatchReader({ maxBytes: 2 ** 28 })
  reader.open(payload)
  const records: Record[] = []
  while (reader.next()) records.push(recordOf(reader.view))
  return records
}

/** The report of an actor such as `sink.calm.0`, by whoever runs it. */
export async function actorOf(whole: Pick<Whole, 'instances'>, id: string): Promise<ActorReport> {
  const actors = [...(await whole.instances()).values()].flatMap(instance => instance.actors)
  const found = actors.findLast(actor => actor.id === id)
  if (found === undefined) throw new Error(`nobody runs ${id}`)
  return found
}

/** One of an actor's counts; 0 where nothing was counted yet. */
export async function countOf(whole: Pick<Whole, 'instances'>, id: string, name: string): Promise<number> {
  return (await actorOf(whole, id)).counts?.[name] ?? 0
}

/** Waits until an actor has a problem of this code, and returns its message. */
export async function untilProblem(whole: Pick<Whole, 'instances'>, id: string, code: string): Promise<string> {
  const says = async () => {
    const { state, problem } = await actorOf(whole, id)
    if (problem?.code === code) return problem.message
    throw new Error(`it is ${state}: ${problem?.code} ${problem?.message}`)
  }
  return eventually(says, { what: `${id} says ${code}`, timeout: 30_000 })
}

/** Waits until an actor runs and has no problem. */
export async function untilWell(whole: Pick<Whole, 'instances'>, id: string): Promise<void> {
  const well = async () => {
    const { state, problem } = await actorOf(whole, id)
    return state === 'running' && problem === undefined
  }
  await eventually(well, { what: `${id} runs without a problem`, timeout: 30_000 })
}

/** Waits until a topic holds exactly so many records beyond those that were there `before`, and returns them. */
export async function arrivedAt(
  { kafka }: Pick<Whole, 'kafka'>,
  { topic, count, before = 0 }: { topic: string; count: number; before?: number },
): Promise<KafkaRecord[]> {
  const enough = async () => (await kafka.readAll(topic)).length >= before + count
  await eventually(enough, { what: `${before + count} records in ${topic}`, timeout: 30_000, interval: 200 })
  const records = await kafka.readAll(topic)
  if (records.length > before + count)
    throw new Error(`${topic} holds ${records.length} records, not ${before + count}`)
  return records.slice(before)
}

/** R12: waits until every record of the route's lane has ended in one of the ways. */
export async function balances(whole: Pick<Whole, 'instances'>, route: string): Promise<void> {
  const settled = async () => {
    const ways = ['out', 'dead', 'filtered', 'parked'].map(way => countOf(whole, `sink.${route}.0`, way))
    const ended = (await Promise.all(ways)).reduce((sum, count) => sum + count)
    return ended === (await countOf(whole, `source.${route}.0`, 'in'))
  }
  await eventually(settled, { what: `in = out + dead + filtered + parked of ${route}` })
}

/** What the command line prints and how it ends. Its errors do not reject. */
export async function millrace(
  fleet: FleetOptions,
  ...words: string[]
): Promise<{ out: string; err: string; code: number }> {
  const command = path.join(root, 'cli', 'src', 'main.ts')
  const env = { ...process.env, ...natsEnvironment('cli', fleet) }
  return promisify(execFile)(process.execPath, [command, ...words], { env }).then(
    ({ stdout, stderr }) => ({ out: stdout, err: stderr, code: 0 }),
    ({ stdout, stderr, code }) => ({ out: stdout, err: stderr, code }),
  )
}

/** The text of a service's `/metrics`; its log says where that is. */
export async function metricsOf({ fleet }: Pick<Whole, 'fleet'>, name: string): Promise<string> {
  const log = await readFile(path.join(fleet.folder, `${name}.log`), 'utf8')
  const [, port] = [...log.matchAll(/"port":(\d+),.*pages: /g)].at(-1) ?? []
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`)
  return answer.text()
}

/** One value of `/metrics`, of the actor with this route and role. */
export async function metricOf(
  whole: Pick<Whole, 'fleet'>,
  at: { service: string; metric: string; route: string },
): Promise<number> {
  const lines = (await metricsOf(whole, at.service)).split('\n')
  const line = lines.find(line => line.startsWith(`${at.metric}{`) && line.includes(`route="${at.route}"`))
  if (line === undefined) throw new Error(`${at.service} shows no ${at.metric} of ${at.route}`)
  return Number(line.split(' ').at(-1))
}

/** Every file below a folder that holds the text. */
export async function filesWith(folder: string, text: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name))
  const found = await Promise.all(files.map(async file => (await readFile(file)).includes(text)))
  return files.filter((_, at) => found[at])
}
