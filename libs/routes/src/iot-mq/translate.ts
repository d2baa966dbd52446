/**
 * The resources of Azure IoT MQ's Kafka connector, `KafkaConnector` and `KafkaConnectorTopicMap`
 * (`mq.iotoperations.azure.com/v1beta1`), as they stand -> connections and routes. Pure.
 */
import { z } from 'zod'
import { fieldOf, readWith } from '../attempt.ts'
import type { Translation } from '../derived.ts'
import { oneOf } from '../fields.ts'
import type { Finding } from '../finding.ts'
import { connectionsOf } from './connections.ts'
import { connector } from './connector.ts'
import { apiVersion, resource } from './resource.ts'
import type { Connectors } from './known-connectors.ts'
import { routesOf } from './routes.ts'
import { topicMap } from './topic-map.ts'

const kinds = ['KafkaConnector', 'KafkaConnectorTopicMap'] as const
const anyKind = resource({ kind: oneOf(...kinds), spec: z.unknown() })

/** Whether a document is a resource of Azure IoT MQ, or means to be one. */
function isIotMq(value: unknown): boolean {
  const [group = ''] = apiVersion.split('/')
  const version = fieldOf(value, 'apiVersion')
  const isTheirs = typeof version === 'string' && version.split('/')[0] === group
  return isTheirs || kinds.some(kind => kind === fieldOf(value, 'kind'))
}

/** What a resource means; undefined where the document is none. `connectors` are those that a topic map may name. */
export function translateIotMq(value: unknown, connectors: Connectors): Translation | undefined {
  if (!isIotMq(value)) return undefined
  const findings: Finding[] = []
  const translation = translationOf(value, connectors, findings)
  return { findings: [...findings, ...(translation?.findings ?? [])], documents: translation?.documents ?? [] }
}

function translationOf(value: unknown, connectors: Connectors, findings: Finding[]): Translation | undefined {
  const kind = fieldOf(value, 'kind')
  if (kind === 'KafkaConnector') {
    const read = readWith([connector], value, findings)
    return read && connectionsOf(read)
  }
  if (kind === 'KafkaConnectorTopicMap') {
    const read = readWith([topicMap], value, findings)
    return read && routesOf(read, connectors)
  }
  readWith([anyKind], value, findings)
  return undefined
}

/** Whether a document names connectors, and so can be read only when these are known. */
export const isTopicMap = (value: unknown): boolean => fieldOf(value, 'kind') === 'KafkaConnectorTopicMap'
