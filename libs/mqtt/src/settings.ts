import { type Credentials, type MqttConnection, mqttEndpoint, SecretError } from '@millrace/routes'
import type { ProtocolVersion } from './control-packets.ts'
import type { Ending } from './ending.ts'
import type { Login } from './login.ts'

/**
 * How to log in at the broker of a connection, with what its secrets hold now. One that can't be read is told like a
 * broker that can't be reached.
 */
export async function readLogin(
  connection: MqttConnection,
  { credentials, clientId }: { credentials: () => Promise<Credentials>; clientId: string },
): Promise<Login | Ending> {
  try {
    return loginOf(connection, { credentials: await credentials(), clientId })
  } catch (error) {
    if (!(error instanceof SecretError)) throw error
    return { is: 'lost', problem: { code: 'secret_missing', message: error.message } }
  }
}

function loginOf(
  connection: MqttConnection,
  { credentials, clientId }: { credentials: Credentials; clientId: string },
): Login {
  const { host, port, tls, webSocket } = mqttEndpoint(connection)
  const { ca, cert, key, username, password } = credentials
  return {
    host,
    port,
    webSocket,
    version: versionOf(connection),
    tls: tls === null ? undefined : { ca, cert, key, servername: tls.servername, verify: tls.verify },
    clientId,
    username,
    password,
    authenticationMethod: connection.auth?.token?.authenticationMethod,
    keepAlive: connection.keepAlive / 1000,
  }
}

/** What CONNECT says of the version. */
export const versionOf = ({ version }: MqttConnection): ProtocolVersion => (version === 5 ? 5 : 4)
