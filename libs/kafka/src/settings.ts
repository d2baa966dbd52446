import { type ConnectionOptions, createSecureContext } from 'node:tls'
import { type Credentials, isEventHubs, type KafkaConnection, prefixedId } from '@millrace/routes'
import type { SASLOptions } from 'kafkajs'
import { bearerLogin } from './bearer-login.ts'
import { clientToken } from './client-token.ts'
import type { ClusterSettings } from './cluster.ts'
import { KafkaError } from './errors.ts'
import { identityToken } from './managed-identity.ts'
import type { Address } from './requests/metadata.ts'
import { isToken, remembering, type TokenSource } from './token-source.ts'

const connectTimeout = 10_000

/** What a Kafka broker takes, unless it was set otherwise; see its `connections.max.idle.ms`, `socket.request.max.bytes`. */
const ofKafka = {
  /** Longer than a broker needs to move a partition's leadership; twice what it may wait for its replicas. */
  requestTimeout: 20_000,
  longestIdle: 540_000,
  largestRequest: 100 * 2 ** 20,
  amqpHeaders: false,
  gzipOnly: false,
}

/**
 * What Event Hubs takes ("Apache Kafka client configurations" of its documentation): a larger request makes it close
 * the connection, and Azure forgets one that was idle for 240 s without a word.
 */
const ofEventHubs = {
  requestTimeout: 60_000,
  longestIdle: 180_000,
  largestRequest: 1_046_528,
  amqpHeaders: true,
  gzipOnly: true,
}

/** Who connects. */
export interface ClusterUser {
  /** Reads what the connection's secrets hold, anew each time: they rotate. */
  credentials: () => Promise<Credentials>
  clientId: string
  /** Told of each token that is issued, and of what proves who asks for it: they must never be shown. */
  conceal: (secret: string) => void
}

/** How to reach the cluster of a connection. Its secrets are read, and tokens asked for, whenever a connection is made. */
export function clusterSettings(connection: KafkaConnection, user: ClusterUser): ClusterSettings {
  const { credentials, clientId } = user
  const tokens = tokenSource(connection, user)
  return {
    brokers: connection.brokers.map(addressOf),
    clientId: prefixedId(connection.clientIdPrefix, clientId),
    async access() {
      const held = await credentials()
      const sasl = tokens === undefined ? passwordLogin(connection, held) : bearerLogin(tokens)
      return { tls: tlsOptions(connection, held), sasl }
    },
    connectTimeout,
    ...(isEventHubs(connection) ? ofEventHubs : ofKafka),
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

function passwordLogin({ auth }: KafkaConnection, held: Credentials): SASLOptions | null {
  if (auth?.sasl === undefined || auth.sasl.mechanism === 'oauthbearer') return null
  const { username = '', password = '' } = held
  return { mechanism: auth.sasl.mechanism, username, password }
}

/** Where OAUTHBEARER gets its tokens from; undefined where the connection logs in otherwise. */
function tokenSource({ auth }: KafkaConnection, { credentials, conceal }: ClusterUser): TokenSource | undefined {
  const identity = auth?.managedIdentity
  if (identity !== undefined) {
    return remembering(() => identityToken(identity.audience, { env: process.env, conceal }), conceal)
  }
  const sasl = auth?.sasl
  if (sasl?.mechanism !== 'oauthbearer') return undefined
  if ('tokenFile' in sasl) return { next: async () => readToken(sasl.tokenFile, await credentials()), forget() {} }
  return remembering(async () => clientToken(sasl, await credentials()), conceal)
}

function readToken(file: string, { token = '' }: Credentials): string {
  if (isToken(token)) return token
  throw new KafkaError('no_token', `The token file ${file} holds no token.`)
}
