import { describe, expect, test } from 'vitest'
import { ofConnection } from './documents.ts'

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
