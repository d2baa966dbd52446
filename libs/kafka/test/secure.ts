import type { Credentials, KafkaAuth, KafkaConnection } from '@millrace/routes'
import { expect } from 'vitest'
import { Cluster, type ClusterSettings, clusterSettings, type KafkaError } from '../src/index.ts'

/** How a test logs in. */
export interface Login {
  brokers: string[]
  auth?: KafkaAuth
  /** Absent: in clear. */
  tls?: Partial<NonNullable<KafkaConnection['tls']>>
  /** What the secrets hold now. */
  credentials: Credentials | (() => Credentials)
  /** Every token that was to be concealed. */
  concealed?: string[]
}

/** The settings of a connection as a user would write it, with a time-out that suits tests. */
export function settingsOf({ brokers, auth, tls, credentials, concealed = [] }: Login): ClusterSettings {
  const connection = { brokers, auth, tls: tls && { verify: true, insecure: false, ...tls } }
  const read = typeof credentials === 'function' ? credentials : () => credentials
  const conceal = (secret: string) => void concealed.push(secret)
  const settings = clusterSettings(connection, { credentials: async () => read(), clientId: 'test', conceal })
  return { ...settings, connectTimeout: 5_000 }
}

export const openWith = (login: Login): Promise<Cluster> => Cluster.open(settingsOf(login))

/** Why a login fails. */
export async function refusalOf(login: Login): Promise<KafkaError> {
  return await openWith(login).then(
    () => expect.unreachable('it opened'),
    (error: KafkaError) => error,
  )
}

/** Everything that an error would bring to a log. */
export function wordsOf(error: Error): string {
  const { cause } = error
  return `${error.message} ${error.stack} ${JSON.stringify(error)} ${cause instanceof Error ? wordsOf(cause) : ''}`
}
