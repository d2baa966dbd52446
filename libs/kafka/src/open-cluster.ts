import { type Connection, resolveCredentials, type SecretSource } from '@millrace/routes'
import { Cluster } from './cluster.ts'
import { KafkaError } from './errors.ts'
import { clusterSettings } from './settings.ts'

/** What of an actor it takes to connect. */
export interface ClusterAccess {
  /** Where the connection's secrets are: by name, and in mounted files. */
  secret: SecretSource
  settings: { secretsDir: string }
  /** Told of each token that must never be shown. */
  conceal: (token: string) => void
  signal: AbortSignal
}

/** Connects to the cluster of a connection. Rejects with KafkaError: later it may be let in. */
export async function openCluster(connection: Connection, access: ClusterAccess): Promise<Cluster> {
  const { secret, settings, conceal, signal } = access
  if (connection.kafka === undefined)
    throw new KafkaError('configuration', `${connection.name} is not a Kafka connection.`)
  const credentials = () => resolveCredentials(connection, { secrets: secret, folder: settings.secretsDir, conceal })
  return await Cluster.open(clusterSettings(connection.kafka, { credentials, clientId: 'millrace', conceal }), signal)
}
