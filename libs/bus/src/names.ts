/** The names of DESIGN of the bus: streams, subjects, buckets, inboxes (ARCHITECTURE.md, "The bus"). */
import { type ServiceName, serviceNames } from './documents.ts'

const plain = /^[A-Za-z0-9_-]$/

/**
 * One token of a subject: `[A-Za-z0-9_-]` as it is, every other byte of the UTF-8 as `=HH`. Nothing that a stranger
 * chose can become a wildcard or a second token. Throws RangeError for an empty text: a subject has no empty tokens.
 */
export function encodeToken(text: string): string {
  if (text === '') throw new RangeError('A token of a subject can not be empty.')
  if (!text.isWellFormed()) throw new RangeError('A token of a subject must be well-formed Unicode.')
  let token = ''
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte)
    token += plain.test(character) ? character : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return token
}

/** The text that `encodeToken` was given. Throws RangeError for what it never makes. */
export function decodeToken(token: string): string {
  const text = Buffer.from(
    token.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString()
  if (token === '' || encodeToken(text) !== token) throw new RangeError(`Not an encoded token: ${token}`)
  return text
}

/** A lane: one ordered stream of records of a route, named by the service that writes it. */
export interface LaneName {
  /** The source's service. */
  service: ServiceName
  route: string
  lane: string
}

/** `MR_D_<route>`: the stream of a route's records. */
export const dataStream = (route: string): string => `MR_D_${encodeToken(route)}`

/** `MR_X_<route>`: the stream of a route's dead letters. */
export const deadLetterStream = (route: string): string => `MR_X_${encodeToken(route)}`

/** `mr.d.<source service>.<route>.<lane>`: a lane's records. */
export const laneSubject = ({ service, route, lane }: LaneName): string =>
  `mr.d.${service}.${encodeToken(route)}.${encodeToken(lane)}`

/** The lane that a data subject names. Throws RangeError for a subject that `laneSubject` never makes. */
export function laneOfSubject(subject: string): LaneName {
  const [, , service, route = '', lane = ''] = subject.split('.')
  const known = serviceNames.find(name => name === service)
  if (known === undefined) throw new RangeError(`Not a lane's subject: ${subject}`)
  return { service: known, route: decodeToken(route), lane: decodeToken(lane) }
}

/** `mr.x.<service>.<route>.<lane>`: the dead letters that a service made of a lane's records. */
export const deadLetterSubject = ({ service, route, lane }: LaneName): string =>
  `mr.x.${service}.${encodeToken(route)}.${encodeToken(lane)}`

/** `mr.ctl.<service>.<instance>`: where an instance answers requests. */
export const controlSubject = (service: ServiceName, instance: string): string =>
  `mr.ctl.${service}.${encodeToken(instance)}`

/** The key of `mr_instances` and `mr_assign`. */
export const instanceKey = (service: ServiceName, instance: string): string => `${service}.${encodeToken(instance)}`

/** The key of `mr_positions`; `service` is the sink's. */
export const positionKey = ({ service, route, lane }: LaneName): string =>
  `${service}.${encodeToken(route)}.${encodeToken(lane)}`

/** The buckets, each kept in the stream `KV_<bucket>`. */
export const bucketNames = ['mr_routes', 'mr_instances', 'mr_assign', 'mr_positions', 'mr_leader'] as const
export type BucketName = (typeof bucketNames)[number]

/** Where replies to a user of NATS go; nobody else may listen there. */
export const inboxPrefix = (user: string): string => `_INBOX_${user}`
