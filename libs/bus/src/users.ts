/**
 * Who may do what on the bus: one user of NATS a service and one for the command line, each with the least that it
 * needs. A subject of JetStream's interface names the stream but not what a request's body asks for, so
 * `STREAM.MSG.GET.*` is narrowed by denying the buckets that are not the user's.
 */
import type { ServiceName } from './documents.ts'
import { type BucketName, bucketNames, inboxPrefix } from './names.ts'

/** The users of NATS: a service, or the command line. */
export type UserName = ServiceName | 'cli'

interface Rights {
  publish: string[]
  deny: string[]
  subscribe: string[]
}

/** Another service is one line here. */
const users = {
  'mqtt-ingress': source('mqtt-ingress'),
  'kafka-ingress': source('kafka-ingress'),
  'mqtt-egress': sink('mqtt-egress'),
  'kafka-egress': sink('kafka-egress'),
  coordinator: coordinator(),
  cli: commandLine(),
}

/** The users that a server for Millrace must have. */
export const natsUserNames = [
  'mqtt-ingress',
  'kafka-ingress',
  'mqtt-egress',
  'kafka-egress',
  'coordinator',
  'cli',
] as const satisfies (keyof typeof users)[]
export type NatsUserName = keyof typeof users

/**
 * The `accounts` block of nats-server's configuration: one account with JetStream, and the users with their
 * passwords. RangeError where a password has control characters; it is not part of the message.
 */
export function natsUsers(passwords: Record<NatsUserName, string>): string {
  const entries = natsUserNames.map(user => userEntry(user, passwords[user], users[user]))
  return `accounts {\n  MILLRACE {\n    jetstream: enabled\n    users: [\n${entries.join('\n')}\n    ]\n  }\n}\n`
}

/** What every placed service needs: its assignment, the routes, its heartbeat, control, and to pull what it reads. */
function placed(service: ServiceName, buckets: BucketName[]): Rights {
  return {
    publish: [
      `$KV.mr_instances.${service}.>`,
      `$JS.API.CONSUMER.CREATE.KV_mr_assign.*.$KV.mr_assign.${service}.>`,
      '$JS.API.CONSUMER.CREATE.KV_mr_routes.*.$KV.mr_routes.>',
      '$JS.API.CONSUMER.MSG.NEXT.*.*',
      '$JS.API.STREAM.INFO.*',
      '$JS.API.STREAM.MSG.GET.*',
    ],
    deny: bucketNames.filter(name => !buckets.includes(name)).map(name => `$JS.API.STREAM.MSG.GET.KV_${name}`),
    subscribe: [`mr.ctl.${service}.>`],
  }
}

/** Writes its own lanes, and dead letters of them. */
function source(service: ServiceName): Rights {
  const rights = placed(service, ['mr_routes', 'mr_assign', 'mr_instances'])
  rights.publish.push(`mr.d.${service}.>`, `mr.x.${service}.>`)
  return rights
}

/** Reads any lane, and writes its own positions, dead letters and parked records. */
function sink(service: ServiceName): Rights {
  const rights = placed(service, ['mr_routes', 'mr_assign', 'mr_instances', 'mr_positions'])
  rights.publish.push(
    `mr.x.${service}.>`,
    `mr.p.${service}.>`,
    `$KV.mr_positions.${service}.>`,
    '$JS.API.CONSUMER.CREATE.*.*.mr.d.>',
  )
  return rights
}

/** Alone makes, changes, trims and deletes streams; writes what others obey; never writes records. */
function coordinator(): Rights {
  const api = ['CREATE.*', 'UPDATE.*', 'DELETE.*', 'PURGE.*', 'INFO.*', 'MSG.GET.*', 'NAMES', 'LIST']
  return {
    publish: [
      ...api.map(call => `$JS.API.STREAM.${call}`),
      ...bucketNames.map(name => `$KV.${name}.>`),
      '$JS.API.INFO',
      '$JS.API.CONSUMER.CREATE.*.*.$KV.>',
      '$JS.API.CONSUMER.MSG.NEXT.*.*',
      'mr.ctl.>',
    ],
    deny: [],
    subscribe: ['mr.ctl.coordinator.>'],
  }
}

/** Reads documents and dead letters, looks at single messages of lanes, and asks; changes nothing by itself. */
function commandLine(): Rights {
  return {
    publish: [
      'mr.ctl.>',
      '$JS.API.CONSUMER.CREATE.*.*.$KV.>',
      '$JS.API.CONSUMER.CREATE.*.*.mr.x.>',
      '$JS.API.CONSUMER.MSG.NEXT.*.*',
      '$JS.API.STREAM.INFO.*',
      '$JS.API.STREAM.MSG.GET.*',
    ],
    deny: [],
    subscribe: [],
  }
}

function userEntry(user: NatsUserName, password: string, { publish, deny, subscribe }: Rights): string {
  const inbox = `${inboxPrefix(user)}.>`
  return [
    `      { user: ${quoted(user)}, password: ${quoted(password)}, permissions: {`,
    `        publish: { allow: ${list(publish)}, deny: ${list(deny)} }`,
    `        subscribe: { allow: ${list([inbox, ...subscribe])} }`,
    '        allow_responses: true',
    '      } }',
  ].join('\n')
}

const list = (subjects: string[]): string => `[${subjects.map(quoted).join(', ')}]`

function quoted(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new RangeError('A password for NATS can not have control characters.')
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
