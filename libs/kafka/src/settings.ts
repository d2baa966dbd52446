import { type ConnectionOptions, createSecureContext } from 'node:tls'
import type { Credentials, KafkaConnection, Sasl } from '@millrace/routes'
import type { SASLOptions } from 'kafkajs'
import type { ClusterSettings } from './cluster.ts'
import { KafkaError } from './errors.ts'
import type { Address } from './requests/metadata.ts'

const connectTimeout = 10_000
/** Longer than a broker needs to move a partition's leadership; twice what it may wait for its replicas. */
const requestTimeout = 20_000

/**
 * How to reach the cluster of a connection, with what its secrets hold. Throws KafkaError (`configuration`) where a
 * certificate or key can't be read; no message quotes one.
 */
export function clusterSettings(
  connection: KafkaConnection,
  { credentials, clientId }: { credentials: Credentials; clientId: string },
): ClusterSettings {
  return {
    brokers: connection.brokers.map(addressOf),
    clientId,
    tls: tlsOptions(connection, credentials),
    sasl: connection.auth?.sasl ? saslOptions(connection.auth.sasl, credentials) : null,
    connectTimeout,
    requestTimeout,
  }
}

/** `host:port` or `[::1]:port`. */
function addressOf(broker: string): Address {
  const colon = broker.lastIndexOf(':')
  return { host: broker.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(broker.slice(colon + 1)) }
}

function tlsOptions({ tls }: KafkaConnection, { ca, cert, key }: Credentials): ConnectionOptions | null {
  if (tls === undefined) return null
  try {
    const secureContext = createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) })
    return { secureContext, rejectUnauthorized: tls.verify, ...(tls.servername && { servername: tls.servername }) }
  } catch (cause) {
    throw new KafkaError('configuration', 'A certificate or key of the connection is not PEM, or they do not fit.', {
      cause,
    })
  }
}

function saslOptions({ mechanism }: Sasl, { username = '', password = '', token }: Credentials): SASLOptions {
  if (mechanism !== 'oauthbearer') return { mechanism, username, password }
  if (token === undefined) throw new KafkaError('configuration', 'The connection has no token to log in with.')
  return { mechanism, oauthBearerProvider: () => Promise.resolve({ value: token }) }
}
