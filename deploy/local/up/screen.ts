/** What `npm start` shows: pure text from what was last seen. One live table in a terminal, plain lines elsewhere. */

/** One process of the installation. */
export interface ProcessRow {
  name: string
  pid: number
  restarts: number
  /** `running`, `starting again`, or what the instance says of itself. */
  state: string
  /** What it owns: `telemetry/0`, ... */
  owns: string[]
}

/** One route, as of the last second. Rates are records a second, latency is in milliseconds. */
export interface RouteRow {
  name: string
  in: number
  out: number
  /** Records stored and not yet delivered. */
  backlog: number
  dead: number
  latency: { p50: number; p99: number } | undefined
  /** What stands in the way, if anything does. */
  problem: string | undefined
}

export interface View {
  title: string
  processes: ProcessRow[]
  routes: RouteRow[]
  /** The newest last. */
  events: string[]
  /** Commands to try, each with what it does. */
  hints: string[]
}

const EVENTS_SHOWN = 5
const number = (value: number) => Math.round(value).toLocaleString('en')

/** The whole screen, as lines no wider than `width`. */
export function render(view: View, width: number): string[] {
  const lines = [
    view.title,
    '',
    ...table([['process', 'pid', 'restarts', 'state', 'owns'], ...view.processes.map(processCells)]),
    '',
    ...table([['route', 'in/s', 'out/s', 'backlog', 'dead', 'p50 / p99 ms', ''], ...view.routes.map(routeCells)]),
    '',
    ...view.events.slice(-EVENTS_SHOWN).map(event => `  ${event}`),
    '',
    ...view.hints,
  ]
  return lines.map(line => (line.length > width ? `${line.slice(0, width - 1)}…` : line))
}

/** One route as one line, for where there is no terminal. */
export function plainLine(route: RouteRow): string {
  const latency = route.latency === undefined ? '' : ` p50=${route.latency.p50}ms p99=${route.latency.p99}ms`
  const problem = route.problem === undefined ? '' : ` problem="${route.problem}"`
  const { name, backlog, dead } = route
  return `route=${name} in=${number(route.in)}/s out=${number(route.out)}/s backlog=${backlog} dead=${dead}${latency}${problem}`
}

function processCells(row: ProcessRow): string[] {
  return [row.name, String(row.pid), String(row.restarts), row.state, row.owns.join(' ')]
}

function routeCells(row: RouteRow): string[] {
  const latency = row.latency === undefined ? '-' : `${row.latency.p50} / ${row.latency.p99}`
  const { name, backlog, dead, problem = '' } = row
  return [name, number(row.in), number(row.out), number(backlog), number(dead), latency, problem]
}

/** Columns as wide as their widest cell. */
function table(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
