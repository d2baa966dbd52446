/** What a run measured, and the table that says it. */
import type { Findings } from './checker.ts'

export interface Measured {
  system: string
  source: 'fast' | 'mosquitto'
  /** Records a second that were asked for; 0: as many as possible. */
  rate: number
  records: number
  recordsPerSecond: number
  /** CPU seconds per million records, by process, over the run. */
  cpuPerMillion: Record<string, number>
  /** Peak resident memory in MB, by process. */
  memoryMb: Record<string, number>
  findings: Findings
  /** What a bare MQTT.js subscriber gets from the same broker under the same load, records a second. */
  bareSubscriber?: number
}

/** What a run measured whose records were in Kafka before. */
export interface Crossed
  extends Pick<Measured, 'system' | 'records' | 'recordsPerSecond' | 'cpuPerMillion' | 'memoryMb'> {
  /** From where to where. */
  label: string
  findings: Pick<Findings, 'delivered' | 'lost' | 'duplicates' | 'outOfOrder'>
}

const sum = (values: Record<string, number>) => Object.values(values).reduce((total, value) => total + value, 0)
const parts = (values: Record<string, number>, digits: number) =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${value.toFixed(digits)}`)
    .join(', ')

const costOf = ({ cpuPerMillion }: Pick<Measured, 'cpuPerMillion'>) =>
  `${sum(cpuPerMillion).toFixed(1)} (${parts(cpuPerMillion, 1)})`
const checkOf = ({ findings: { lost, outOfOrder, duplicates } }: Pick<Crossed, 'findings'>) =>
  `${lost} / ${outOfOrder} / ${duplicates}`

/** One run as a row of the Markdown table that the benchmark prints. */
export function row(run: Measured): string {
  const { findings: found } = run
  const rate = run.rate === 0 ? 'full' : `${Math.round(run.rate).toLocaleString('en')}/s`
  const share =
    run.bareSubscriber === undefined
      ? ''
      : ` (${Math.round((100 * run.recordsPerSecond) / run.bareSubscriber)} % of bare)`
  return `| ${[
    `${run.source}, ${rate}`,
    run.system,
    `${Math.round(run.recordsPerSecond).toLocaleString('en')}${share}`,
    costOf(run),
    `${found.toAppend.p50.toFixed(1)} / ${found.toAppend.p99.toFixed(1)}`,
    `${found.toConsumer.p50.toFixed(1)} / ${found.toConsumer.p99.toFixed(1)}`,
    parts(run.memoryMb, 0),
    checkOf(run),
  ].join(' | ')} |`
}

export const header = [
  '| source, rate | system | records/s | CPU s per million | to append p50 / p99 ms | to consumer p50 / p99 ms | peak MB | lost / out of order / twice |',
  '|---|---|---|---|---|---|---|---|',
].join('\n')

/** One run that began in Kafka, as a row. */
export function crossedRow(run: Crossed): string {
  const rate = Math.round(run.recordsPerSecond).toLocaleString('en')
  return `| ${[run.label, run.system, rate, costOf(run), parts(run.memoryMb, 0), checkOf(run)].join(' | ')} |`
}

export const crossedHeader = [
  '| from, to | system | records/s | CPU s per million | peak MB | lost / out of order / twice |',
  '|---|---|---|---|---|---|',
].join('\n')
