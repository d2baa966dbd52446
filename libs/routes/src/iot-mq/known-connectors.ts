/** The connectors that a topic map may name, and what it asks about one. */
import { fieldOf } from '../attempt.ts'
import type { KnownConnections } from '../ends.ts'
import { isEventHubs } from '../event-hubs.ts'
import { legalName } from '../legal-name.ts'
import type { LogLevel } from '../route.ts'
import { localName } from './local-name.ts'

/** What a topic map asks about its connector. */
export interface ConnectorFacts {
  /** Undefined: its connections are known from before, and say nothing of it. */
  instances?: number | undefined
  /** Undefined also where it does not say. */
  logLevel?: LogLevel | undefined
  isEventHubs: boolean
}

/** What of these its routes can have; what is fatal here is no matter of one route. */
const logLevels: ReadonlyMap<unknown, LogLevel> = new Map<string, LogLevel>([
  ['trace', 'trace'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['warn', 'warn'],
  ['error', 'error'],
  ['fatal', 'error'],
])

/** Connectors by the names of their connections. */
export type Connectors = ReadonlyMap<string, ConnectorFacts>

/**
 * The connectors that a topic map may name: those among these documents, valid or not, and the pairs of connections that
 * would be one's, wherever they come from.
 */
export function connectorsAmong(values: readonly unknown[], named: KnownConnections): Connectors {
  const facts = (name: string) => {
    const kafka = named.get(name)?.kafka
    return { isEventHubs: kafka !== undefined && isEventHubs(kafka) }
  }
  const pairs = [...named.keys()].filter(name => named.has(localName(name)))
  const connectors = new Map<string, ConnectorFacts>(pairs.map(name => [name, facts(name)]))
  for (const value of values) {
    const written = fieldOf(fieldOf(value, 'metadata'), 'name')
    if (fieldOf(value, 'kind') !== 'KafkaConnector' || typeof written !== 'string') continue
    const name = legalName(written)
    const spec = fieldOf(value, 'spec')
    const instances = fieldOf(spec, 'instances')
    const logLevel = logLevels.get(fieldOf(spec, 'logLevel'))
    connectors.set(name, { ...facts(name), instances: typeof instances === 'number' ? instances : 1, logLevel })
  }
  return connectors
}
