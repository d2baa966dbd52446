import { isEventHubs } from '@millrace/routes'
import { describe, expect, test } from 'vitest'
import { ofConnection } from './documents.ts'

const bearer = (fields: string) => `{ brokers: [h:1], tls: {}, auth: { sasl: { mechanism: oauthbearer, ${fields} } } }`
const withPassword = (host: string) => `mqtt: { url: "mqtt://${host}", auth: { password: { secretName: s } } }`

describe('secrets', () => {
  test.each([
    '{ mqtt: { url: "mqtt://admin:hunter2@h" } }',
    '{ mqtt: { url: "mqtt://h", auth: { password: hunter2 } } }',
    '{ mqtt: { url: "mqtt://h", auth: { password: { secretName: "hunter2!" } } } }',
    '{ mqtt: { url: "mqtt://h", auth: { password: { value: hunter2 } } } }',
    '{ mqtt: { url: "mqtt://h", password: hunter2 } }',
    '{ kafka: { brokers: [h:1], tls: { caFile: "password=hunter2" } } }',
    '{ kafka: { brokers: ["SharedAccessKey=hunter2"] } }',
    '{ kafka: { brokers: "hunter2" } }',
    '{ kafka: { brokers: [h:1], tls: {}, auth: { sasl: { mechanism: plain, secretName: s, password: hunter2 } } } }',
    '{ kafka: { brokers: [h:1], tls: {}, auth: { sasl: { mechanism: hunter2, secretName: s } } } }',
    '{ kafka: { brokers: [h:1], sasl.jaas.config: hunter2 } }',
    '{ mqtt: { url: "mqtt://h", auth: { token: hunter2 } } }',
    '"hunter2',
  ])('%s is refused, and the secret is not repeated', spec => {
    const problems = ofConnection(spec)
    expect(problems).not.toEqual([])
    expect(problems.join()).not.toContain('hunter2')
  })
})

describe('connections', () => {
  test.each([
    ['mqtt: { url: "http://h" }', 'expected mqtt://host:port'],
    ['mqtt: { url: "mqtt://" }', 'expected mqtt://host:port'],
    ['mqtt: { url: "mqtt://h:0" }', 'expected mqtt://host:port'],
    ['mqtt: { url: "mqtt://h:70000" }', 'expected mqtt://host:port'],
    ['mqtt: { url: "mqtt://h/path" }', 'nothing may follow'],
    ['mqtt: { url: "ws://h/path?x" }', 'nothing may follow'],
    ['mqtt: { url: "ws://h/mqtt", tls: {} }', 'no effect on ws:// (write wss:// in the url)'],
    ['mqtt: { url: "ws://h/mqtt", auth: { x509: { secretName: s } } }', 'over TLS only'],
    ['mqtt: { url: "mqtt://h", version: "5" }', 'expected one of 5, 3.1.1; write 5 without quotes'],
    ['mqtt: { url: "mqtt://h", version: 3.1 }', 'expected one of 5, 3.1.1'],
    ['mqtt: { url: "mqtt://h", clientIdPrefix: "" }', 'spec.mqtt.clientIdPrefix: the text is empty'],
    ['mqtt: { url: "mqtt://h", clientIdPrefix: "a b" }', 'spec.mqtt.clientIdPrefix: expected at most 64 visible'],
    ['mqtt: { url: "mqtt://h", clientIdPrefix: "a+" }', 'spec.mqtt.clientIdPrefix: expected at most 64 visible'],
    ['kafka: { brokers: [h:1], clientIdPrefix: "ü" }', 'spec.kafka.clientIdPrefix: expected at most 64 visible'],
    [`kafka: { brokers: [h:1], clientIdPrefix: ${'a'.repeat(65)} }`, 'spec.kafka.clientIdPrefix: expected at most 64'],
    ['mqtt: { url: "mqtts://h", auth: { token: {} } }', 'exactly one of these must stand here: secretName, file'],
    ['mqtt: { url: "mqtts://h", auth: { token: { secretName: a, file: b } } }', 'secretName, file'],
    ['mqtt: { url: "mqtts://h", version: 3.1.1, auth: { token: { file: b } } }', 'no token without a user name'],
    [
      'mqtt: { url: "mqtts://h", version: 3.1.1, auth: { token: { file: b, username: u, authenticationMethod: m } } }',
      'spec.mqtt.auth.token.authenticationMethod: MQTT 3.1.1 has no authentication methods',
    ],
    ['mqtt: { url: "mqtts://h", auth: { token: { file: b }, x509: { secretName: s } } }', 'exactly one of these'],
    ['mqtt: { url: "mqtt://h", tls: {} }', 'no effect on mqtt://'],
    ['mqtt: { url: "mqtts://h", tls: { verify: false } }', 'lets anybody pose as the server'],
    ['mqtt: { url: "mqtts://h", tls: { insecure: true } }', 'says nothing without verify: false'],
    ['mqtt: { url: "mqtts://h", tls: { verify: "no" } }', 'expected true or false'],
    ['mqtt: { url: "mqtts://h", tls: { verify: no } }', 'expected true or false'],
    ['mqtt: { url: "mqtt://h", keepAlive: 1500ms }', 'in steps of 1s'],
    ['kafka: { brokers: [h] }', 'expected host:port'],
    ['kafka: { brokers: [h:0] }', 'expected host:port'],
    ['kafka: { brokers: [] }', 'the list is empty'],
    ['kafka: { brokers: [h:1], auth: { sasl: { mechanism: plain, secretName: s } } }', 'sends the password in clear'],
    [
      'kafka: { brokers: [h:1], tls: {}, auth: { sasl: { mechanism: PLAIN, secretName: s } } }',
      'did you mean "plain"?',
    ],
    ['kafka: { brokers: [h:1], auth: { x509: { secretName: s } } }', 'over TLS only'],
    ['kafka: { brokers: [h:1], tls: {}, auth: { sasl: { secretName: s } } }', 'missing; expected one of plain'],
    ['kafka: { brokers: [h:1], tls: {}, auth: { sasl: s } }', 'expected a map of fields'],
    ['kafka: { brokers: [h:1], tls: {}, auth: { sasl: { mechanism: plain } } }', 'secretName: missing'],
    ['kafka: { brokers: [h:1], tls: {}, auth: { sasl: { mechanism: oauthbearer } } }', 'needs tokenFile, or'],
    [`kafka: ${bearer('secretName: s, scope: x')}`, 'needs tokenFile, or tokenEndpoint, scope and secretName'],
    [`kafka: ${bearer('tokenFile: t, scope: x')}`, 'needs tokenFile, or tokenEndpoint, scope and secretName'],
    [`kafka: ${bearer('tokenEndpoint: "http://h/t", scope: x, secretName: s')}`, 'sends the client secret in clear'],
    [`kafka: ${bearer('tokenEndpoint: "https://a:b@h/t", scope: x, secretName: s')}`, 'expected https://host/path'],
    [`kafka: ${bearer('tokenFile: t').replace('tls: {}, ', '')}`, 'oauthbearer without TLS sends the token in clear'],
    ['kafka: { brokers: [h:1], auth: { managedIdentity: { audience: "https://h" } } }', 'sends the token in clear'],
    ['kafka: { brokers: [h:1], tls: {}, auth: { managedIdentity: {} } }', 'audience: missing; expected text'],
    ['kafka: { brokers: [h:1], profile: eventhubs }', 'did you mean "eventHubs"?'],
    ['amqp: {}', 'known here: mqtt, kafka'],
    ['{}', 'exactly one of these must stand here: mqtt, kafka'],
    ['{ mqtt: { url: "mqtt://h" }, kafka: { brokers: [h:1] } }', 'exactly one of these must stand here: mqtt, kafka'],
  ])('%s', (spec, message) => {
    expect(ofConnection(spec).join('\n')).toContain(message)
  })

  test('a password in clear to another machine is told; to this one it is not', () => {
    expect(ofConnection(withPassword('h'))).toEqual([
      expect.stringMatching(/^f:5:16: warning: spec.mqtt.url: the password crosses/),
    ])
    for (const host of ['localhost', '127.0.0.1', '[::1]']) expect(ofConnection(withPassword(host))).toEqual([])
    const plain = 'kafka: { brokers: [localhost:9092], auth: { sasl: { mechanism: plain, secretName: s } } }'
    expect(ofConnection(plain)).toEqual([])
  })
})

test.each(['password', 'username', 'clientSecret', 'sasl.password', 'connectionString', 'token', 'api_key'])(
  'a field %s is told to be named by secretName',
  field => {
    expect(ofConnection(`kafka: { brokers: [h:1], ${field}: hunter2 }`)).toEqual([
      'f:5:28: spec.kafka.' +
        `${field}: a secret never stands in a document (put it into a file or variable of the services, and name that with secretName)`,
    ])
  },
)

test.each([
  'mqtt: { url: "ws://127.0.0.1:9001/mqtt", version: 3.1.1, auth: { password: { secretName: s } } }',
  'mqtt: { url: "wss://h", tls: { caFile: ca.pem }, auth: { token: { file: /run/token } } }',
  'mqtt: { url: "mqtts://h", version: 3.1.1, auth: { token: { secretName: s, username: u } } }',
  'mqtt: { url: "mqtts://h", auth: { token: { file: t, authenticationMethod: OAUTH2-JWT } } }',
  `kafka: ${bearer('tokenFile: t')}`,
  `kafka: ${bearer('tokenEndpoint: "https://h/t?a=b", scope: x, audience: y, secretName: s')}`,
  `kafka: ${bearer('tokenEndpoint: "http://127.0.0.1:8080/t", scope: x, secretName: s')}`,
])('%s is taken', spec => expect(ofConnection(spec)).toEqual([]))

test('a token in clear to another machine is told', () => {
  expect(ofConnection('mqtt: { url: "ws://h", auth: { token: { file: t } } }').join()).toContain(
    'the token crosses the network in clear (use wss://)',
  )
})

describe('Event Hubs', () => {
  const hub = 'ns.servicebus.windows.net:9093'
  const sasl = (mechanism: string) => `auth: { sasl: { mechanism: ${mechanism}, secretName: s } }`

  test.each([
    [`{ brokers: [${hub}], ${sasl('scram-sha-256')} }`, 'speaks TLS only'],
    [`{ brokers: [${hub}], tls: {}, ${sasl('scram-sha-256')} }`, 'SASL plain and oauthbearer only'],
    [`{ brokers: [${hub}], tls: {}, auth: { x509: { secretName: s } } }`, 'SASL plain and oauthbearer only'],
    [`{ brokers: [${hub}], tls: {} }`, 'SASL plain and oauthbearer only'],
    [`{ brokers: [h:1], profile: eventHubs, tls: {}, ${sasl('scram-sha-512')} }`, 'SASL plain and oauthbearer only'],
  ])('%s', (kafka, message) => expect(ofConnection(`kafka: ${kafka}`).join('\n')).toContain(message))

  test.each([
    `{ brokers: [${hub}], tls: {}, ${sasl('plain')} }`,
    `{ brokers: [${hub}], tls: {}, auth: { sasl: { mechanism: oauthbearer, tokenFile: t } } }`,
    `{ brokers: [${hub}], tls: {}, auth: { managedIdentity: { audience: "https://ns.servicebus.windows.net" } } }`,
    `{ brokers: [127.0.0.1:9092], profile: eventHubs, ${sasl('plain')} }`,
    '{ brokers: [127.0.0.1:9092], profile: eventHubs }',
  ])('%s is taken', kafka => expect(ofConnection(`kafka: ${kafka}`)).toEqual([]))

  test.each([
    [{ brokers: ['NS.ServiceBus.windows.net:9093'] }, true],
    [{ brokers: ['ns.servicebus.chinacloudapi.cn:9093'] }, true],
    [{ brokers: ['h:9092'], profile: 'eventHubs' }, true],
    [{ brokers: ['servicebus.windows.net.example:9093'] }, false],
  ])('%j: %s', (kafka, expected) => expect(isEventHubs(kafka)).toBe(expected))
})
