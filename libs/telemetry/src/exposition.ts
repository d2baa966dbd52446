import type { Histogram } from './histogram.ts'

/** Label names and values; names are ours, values may be anything. */
export type Labels = Readonly<Record<string, string>>

/** All series of one metric. Counters and gauges are plain numbers that somebody else keeps. */
export type Family =
  | { name: string; help: string; type: 'counter' | 'gauge'; series: { labels: Labels; value: number }[] }
  | { name: string; help: string; type: 'histogram'; series: { labels: Labels; value: Histogram }[] }

/** What `exposition` writes, for the HTTP header. */
export const expositionType = 'text/plain; version=0.0.4; charset=utf-8'

/** The text that Prometheus scrapes (exposition format 0.0.4). A family without series is left out. */
export function exposition(families: readonly Family[]): string {
  const lines: string[] = []
  for (const family of families) {
    if (family.series.length === 0) continue
    lines.push(`# HELP ${family.name} ${escapeHelp(family.help)}`, `# TYPE ${family.name} ${family.type}`)
    if (family.type === 'histogram') {
      for (const { labels, value } of family.series) lines.push(...histogramLines(family.name, labels, value))
    } else {
      for (const { labels, value } of family.series) lines.push(line(family.name, labels, value))
    }
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

/** Buckets are cumulative on the wire, and plain in memory. */
function histogramLines(name: string, labels: Labels, { bounds, counts, sum }: Histogram): string[] {
  let total = 0
  const buckets = Array.from(counts, (count, i) => {
    total += count
    return line(`${name}_bucket`, { ...labels, le: number(bounds[i] ?? Infinity) }, total)
  })
  return [...buckets, line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, total)]
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${number(value)}`
}

function number(value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return String(value)
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
