/** What a route's expressions ask of its source: whether the source can have it. */
import { errorAt, type Finding, warningAt } from './finding.ts'
import type { Route, Source } from './route.ts'
import { templateParts } from './template.ts'

/** What reads as null for ever, and levels of topics that are never there. */
export function checkCaptures(route: Route): Finding[] {
  const { filter, source } = route
  const templates = templatesOf(route)
  const texts = filter === undefined ? templates : [{ path: ['filter'], text: filter }, ...templates]
  return [...texts.flatMap(text => checkAbsent(text, source)), ...templates.flatMap(text => checkLevels(text, source))]
}

interface Written {
  path: string[]
  text: string
}

function templatesOf({ sink }: Route): Written[] {
  const topic = { path: ['sink', 'topic'], text: sink.topic }
  if (sink.protocol === 'mqtt') return [topic]
  const key = sink.key === undefined ? [] : [{ path: ['sink', 'key'], text: sink.key }]
  return [topic, ...key, { path: ['sink', 'partition'], text: sink.partition }]
}

function checkAbsent({ path, text }: Written, { protocol }: Source): Finding[] {
  const absent = protocol === 'mqtt' ? 'partition|offset|device' : 'device'
  const [name] = new RegExp(`\\bsource\\s*\\.\\s*(?:${absent})\\b`).exec(text) ?? []
  const what = protocol === 'mqtt' ? 'MQTT' : 'Kafka'
  return name === undefined ? [] : [warningAt(path, 'always_null', `${name} is always null: the source is ${what}`)]
}

/** A `${source.levels[n]}` alone; one inside a longer expression may be guarded by the rest of it. */
const levelAlone = /^\s*source\s*\.\s*levels\s*\[\s*(\d+)\s*\]\s*$/

function checkLevels({ path, text }: Written, source: Source): Finding[] {
  const parts = templateParts(text)
  if (!Array.isArray(parts)) return []
  return parts.flatMap(part => {
    const level = part.is === 'expression' ? levelAlone.exec(part.text)?.[1] : undefined
    if (part.is === 'text' || level === undefined) return []
    return checkLevel(Number(level), source).map(finding => ({ ...finding, path, at: part.offset }))
  })
}

function checkLevel(level: number, source: Source): Finding[] {
  const name = `source.levels[${level}]`
  if (source.protocol === 'kafka') {
    if (level === 0) return []
    const message = `${name} is never there: the name of a Kafka topic is one level`
    return [{ ...errorAt([], 'no_level', message), hint: 'an MQTT topic is in record.headers["mqtt.topic"]' }]
  }
  const short = source.topics.filter(filter => !mayHaveLevel(filter, level))
  if (short.length === 0) return []
  if (short.length === source.topics.length) {
    return [errorAt([], 'no_level', `${name} is never there: levels count from 0, and no topic has so many`)]
  }
  const message = `${name} is not there in topics of ${short[0]}: their records become dead letters (expression)`
  return [warningAt([], 'no_level', message)]
}

function mayHaveLevel(filter: string, level: number): boolean {
  return filter.endsWith('#') || filter.split('/').length > level
}
