/** What a test says of messages that were late, so that the failure explains itself where nobody can look any more. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { metricsOf } from './observe.ts'
import type { Span } from './standstill.ts'
import type { Whole } from './whole.ts'

/** A message's way, from its publisher's stamp to Kafka's. */
export interface Journey extends Span {
  number: number
}

const mostLines = 40
const longestLine = 500

/**
 * Which messages were late and, of that time, what every service logged; of the route, what every service has measured:
 * the side whose latencies are high is the side that stood still.
 */
export async function describeLate(whole: Whole, route: string, late: readonly Journey[]): Promise<string> {
  const [from, to] = [Math.min(...late.map(one => one.from)), Math.max(...late.map(one => one.to))]
  const time = { from: from - 1_000, to: to + 1_000 }
  const services = await Promise.all(whole.services.map(({ name }) => describeService(whole, { name, route, time })))
  return [
    `${late.length} messages of ${route} were late:`,
    ...cut(late.map(one => `  number ${one.number}, of ${isoTime(one.from)}, took ${one.to - one.from} ms`)),
    ...services,
  ].join('\n')
}

async function describeService(
  whole: Whole,
  { name, route, time }: { name: string; route: string; time: Span },
): Promise<string> {
  const log = await readFile(path.join(whole.fleet.folder, `${name}.log`), 'utf8')
  const metrics = await metricsOf(whole, name).catch((error: unknown) => `no metrics: ${String(error)}`)
  const lines = log.split('\n').filter(line => {
    const at = Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? '')
    return at >= time.from && at <= time.to
  })
  return [
    `${name} logged from ${isoTime(time.from)} to ${isoTime(time.to)}:`,
    ...cut(lines),
    'and has measured:',
    ...metrics.split('\n').filter(line => line.includes(`route="${route}"`)),
  ].join('\n')
}

const isoTime = (time: number): string => new Date(time).toISOString()

/** The first of them, and not all of one. */
function cut(lines: readonly string[]): readonly string[] {
  const some = lines.slice(0, mostLines).map(line => line.slice(0, longestLine))
  return lines.length === some.length ? some : [...some, `  and ${lines.length - some.length} more`]
}
