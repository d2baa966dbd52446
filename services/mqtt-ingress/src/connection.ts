/** The connection of a slot's session to its broker, and how a session ends that nobody wants any more. */
import type { ActorContext } from '@millrace/host'
import { type Attempt, connect, readLogin, subscriberId } from '@millrace/mqtt'
import { resolveCredentials, sourceOf } from '@millrace/routes'

/** Whose session it is. */
export interface SlotSession {
  clientId: string
  receiveMaximum: number
  /** Ends the attempt, and the connection. */
  signal: AbortSignal
}

/** The client id of a slot's session. */
export function slotId({ source, installation, route }: ActorContext, lane: string): string {
  return subscriberId({ ...source.mqtt, installation, route: route.name, lane })
}

/** Tries to connect, once. */
export async function connectSlot(context: ActorContext, session: SlotSession): Promise<Attempt> {
  const { source, route, settings, secret, conceal } = context
  if (source.mqtt === undefined) throw new TypeError(`Connection ${source.name} is not an MQTT connection.`)
  const { clientId, receiveMaximum, signal } = session
  const credentials = () => resolveCredentials(source, { secrets: secret, folder: settings.secretsDir, conceal })
  const login = await readLogin(source.mqtt, { credentials, clientId })
  if ('is' in login) return login
  const { sessionExpiry, retained } = sourceOf(route, 'mqtt')
  const wishes = { sessionExpiry: sessionExpiry / 1000, skipsRetained: retained === 'skip' }
  return await connect({ ...login, ...wishes, receiveMaximum }, signal)
}

/**
 * Ends a session with all that it holds. Tried once: whoever throws it away does not wait for the broker. What then
 * stays is logged.
 */
export async function discardSession(context: ActorContext, session: SlotSession): Promise<void> {
  const attempt = await connectSlot(context, session)
  if (attempt.is === 'connected') return attempt.session.disconnect('end')
  if (attempt.is === 'ended') return
  const left = `The session ${session.clientId} stays at the broker until it expires, and gathers messages.`
  context.log.warn({ ...attempt.problem }, left)
}
