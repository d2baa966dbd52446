/** What our clients are called: the same for every owner of a lane, so that a new one takes over from the last (R9). */
import { createHash } from 'node:crypto'
import { type MqttConnection, prefixedId } from '@millrace/routes'

/** Longer client ids than this are shortened: brokers need not take more than 23 characters, and all take this. */
const longestId = 128

/** Whose client it is, and the prefix of the connection that it uses. */
export interface ClientName extends Pick<MqttConnection, 'clientIdPrefix'> {
  installation: string
  route: string
  lane: string
}

/** The client id of a subscriber slot; its lane is its number. */
export function subscriberId({ clientIdPrefix, installation, route, lane }: ClientName): string {
  return shortened(prefixedId(clientIdPrefix, `${installation}-${route}-${lane}`))
}

/** The client id of a lane's publisher, never that of a subscriber or of another lane: no route's name has a dot. */
export function publisherId({ clientIdPrefix, installation, route, lane }: ClientName): string {
  return shortened(prefixedId(clientIdPrefix, `${installation}-${route}.${lane.replaceAll('/', '.')}-out`))
}

/** A long one ends with its hash. */
function shortened(id: string): string {
  if (id.length <= longestId) return id
  return `${id.slice(0, 95)}-${createHash('sha256').update(id).digest('hex').slice(0, 32)}`
}
