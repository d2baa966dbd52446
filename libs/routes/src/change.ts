/** What an apply would change, field by field: for the user before it happens, and for who has to act on it. */
import type { Connection } from './connection.ts'
import type { Route } from './route.ts'
import { storedConnection, storedRoute } from './stored.ts'

/** Connections and routes by name, before or after. */
export interface Snapshot {
  connections: ReadonlyMap<string, Connection>
  routes: ReadonlyMap<string, Route>
}

/** One field that differs, as a user writes its value; undefined where it was not there, or is no more. */
export interface FieldChange {
  /** From the spec down, e.g. `source.topics`. */
  path: string
  before: unknown
  after: unknown
}

/** What happens to one connection or route. */
export interface Change {
  kind: 'Connection' | 'Route'
  name: string
  change: 'new' | 'changed' | 'unchanged' | 'removed'
  /** The fields that differ; none but for `changed`. */
  fields: FieldChange[]
  /** Of a route: the connections that it names and that change, so that it must start anew although it is the same. */
  connections: string[]
}

/** Every connection and route of either side, connections first, each by name. */
export function diff(before: Snapshot, after: Snapshot): Change[] {
  const connections = compare('Connection', before.connections, after.connections, storedConnection)
  const changed = new Set(connections.filter(({ change }) => change === 'changed').map(({ name }) => name))
  const routes = compare('Route', before.routes, after.routes, storedRoute).map(route => {
    const ends = after.routes.get(route.name)
    const named = [ends?.source.connection, ends?.sink.connection].filter(name => name !== undefined)
    const touched = [...new Set(named)].filter(name => changed.has(name))
    const change = route.change === 'unchanged' && touched.length > 0 ? 'changed' : route.change
    return { ...route, change, connections: touched }
  })
  return [...connections, ...routes]
}

function compare<T>(
  kind: Change['kind'],
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  stored: (value: T) => unknown,
): Change[] {
  return [...new Set([...before.keys(), ...after.keys()])].sort().map(name => {
    const [old, now] = [before.get(name), after.get(name)]
    const base = { kind, name, fields: [], connections: [] }
    if (old === undefined) return { ...base, change: 'new' }
    if (now === undefined) return { ...base, change: 'removed' }
    const fields = fieldChanges(stored(old), stored(now), [])
    return { ...base, change: fields.length === 0 ? 'unchanged' : 'changed', fields }
  })
}

/** Lists count as one value: what matters of them is the whole. */
function fieldChanges(before: unknown, after: unknown, path: string[]): FieldChange[] {
  if (!isMap(before) || !isMap(after)) {
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path: path.join('.'), before, after }]
  }
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].flatMap(name => fieldChanges(before[name], after[name], [...path, name]))
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a changed field of a route means for what is running, in a sentence. */
export function meaningOf({ path }: FieldChange): string {
  const found = meanings.find(([prefix]) => path === prefix || path.startsWith(`${prefix}.`))
  return found?.[1] ?? 'its lanes start anew with it'
}

const meanings: readonly (readonly [prefix: string, meaning: string])[] = [
  [
    'source.topics',
    'new filters are subscribed to, new partitions read; those that are gone are not any more; what was acknowledged or stored stays',
  ],
  ['source.subscribers', 'new slots get lanes of their own; slots that go are drained first'],
  ['source.shareName', 'subscribed to under the new name, then not under the old one any more; what it held is taken'],
  ['source.connection', 'its sources connect anew; another broker is refused: delete the route first'],
  ['source.start', 'partitions that are read already go on where they are'],
  ['source.group', 'offsets are committed to the new group; the old one keeps its last'],
  ['source', 'its sources connect anew'],
  ['sink', 'what is stored and not delivered yet goes out by the new rule'],
  ['filter', 'what is stored and not delivered yet is filtered by the new rule'],
  ['headers', 'what is stored and not delivered yet goes out by the new rule'],
  ['buffer', 'its stream is resized; what it holds stays'],
  ['deadLetters', 'its dead-letter stream is resized'],
  ['logLevel', 'its lanes start anew, and log so'],
]
