import { type Connection, protocolOf } from './connection.ts'
import { mqttEndpoint } from './mqtt-connection.ts'

/** By what an outside system is known: two connections lead to one where they have an address in common. */
export function systemsOf(connection: Connection | undefined): string[] {
  if (connection === undefined) return []
  const { mqtt, kafka } = connection
  const { host, port } = mqtt === undefined ? { host: '', port: 0 } : mqttEndpoint(mqtt)
  const addresses = kafka?.brokers ?? [`${host}:${port}`]
  return addresses.map(address => `${protocolOf(connection)} ${address.toLowerCase()}`)
}
