import { describe, expect, test } from 'vitest'
import { connector, topicMap, translated } from './iot-mq-documents.ts'

const tls = { verify: true, insecure: false }
const secure = 'tls: { tlsEnabled: true }'

/** The Kafka connection that a `kafkaConnection` becomes. */
const kafkaOf = (kafka: string) => translated(connector({ kafka })).connections['hub']?.kafka
const toldOf = (kafka: string) => translated(connector({ kafka })).told.join('\n')

test('a connector becomes a connection for each of its ends', () => {
  const { connections, told } = translated(connector())
  expect(connections).toEqual({
    hub: { name: 'hub', kafka: { brokers: ['h:9093'], tls } },
    'hub-local': {
      name: 'hub-local',
      mqtt: {
        url: 'mqtt://aio-mq-dmqtt-frontend:1883',
        version: 5,
        auth: {
          token: {
            file: '/var/run/serviceaccount/localbroker/sat',
            username: '$sat',
            authenticationMethod: 'K8S-SAT',
          },
        },
        keepAlive: 30_000,
      },
    },
  })
  expect(told).toEqual([
    expect.stringContaining('the token crosses the network in clear (set localBrokerConnection.tls.tlsEnabled: true)'),
  ])
})

test('an endpoint is a list of servers to begin with', () => {
  expect(kafkaOf(`endpoint: "a:1, b:2,c:3", ${secure}`)?.brokers).toEqual(['a:1', 'b:2', 'c:3'])
  expect(toldOf(`endpoint: "a:1,b", ${secure}`)).toContain('f:6:32: spec.kafkaConnection.endpoint: expected host:port')
})

test('without tlsEnabled there is no TLS, and a config map has no effect', () => {
  const kafka = 'endpoint: "h:1", tls: { tlsEnabled: false, caConfigMap: ca }'
  expect(kafkaOf(kafka)).toEqual({ brokers: ['h:1'] })
  expect(toldOf(kafka)).toContain('f:6:78: warning: spec.kafkaConnection.tls.caConfigMap: has no effect with')
})

test.each(['caConfigMap', 'trustedCaCertificateConfigMap'])('%s names a secret with the key ca.crt', field => {
  const kafka = `endpoint: "h:1", tls: { tlsEnabled: true, ${field}: ca-pem }`
  expect(kafkaOf(kafka)?.tls).toEqual({ ...tls, caSecretName: 'ca-pem' })
  expect(translated(connector({ kafka })).notes.join()).toContain(`tls.${field}: is read as the secret ca-pem`)
})

test('a config map in both spellings is refused', () => {
  const both = 'tls: { tlsEnabled: true, caConfigMap: a, trustedCaCertificateConfigMap: a }'
  expect(toldOf(`endpoint: "h:1", ${both}`)).toContain('this is caConfigMap once more')
})

describe('authentication', () => {
  const login = (authType: string) =>
    `endpoint: "h:1", ${secure}, authentication: { enabled: true, authType: { ${authType} } }`

  test.each([
    ['plain', 'plain'],
    ['scram-sha-256', 'scram-sha-256'],
    ['scram-sha-512', 'scram-sha-512'],
    ['scramSha256', 'scram-sha-256'],
    ['scramSha512', 'scram-sha-512'],
  ])('sasl %s is %s', (saslType, mechanism) => {
    const kafka = login(`sasl: { saslType: ${saslType}, secretName: cs-secret }`)
    expect(kafkaOf(kafka)?.auth).toEqual({ sasl: { mechanism, secretName: 'cs-secret' } })
  })

  test('the secret of sasl may be named in token', () => {
    expect(kafkaOf(login('sasl: { saslType: plain, token: { secretName: cs-secret } }'))?.auth).toEqual({
      sasl: { mechanism: 'plain', secretName: 'cs-secret' },
    })
  })

  test('x509 is a certificate of one’s own', () => {
    expect(kafkaOf(login('x509: { secretName: my-tls-secret }'))?.auth).toEqual({
      x509: { secretName: 'my-tls-secret' },
    })
  })

  test('a system-assigned managed identity is Azure’s identity of the machine or pod', () => {
    const audience = 'https://ns.servicebus.windows.net'
    expect(kafkaOf(login(`systemAssignedManagedIdentity: { audience: "${audience}" }`))?.auth).toEqual({
      managedIdentity: { audience },
    })
  })

  test('that is not enabled is none', () => {
    const off = (rest: string) => `endpoint: "h:1", ${secure}, authentication: { enabled: false${rest} }`
    expect(kafkaOf(off(''))).toEqual({ brokers: ['h:1'], tls })
    const given = off(', authType: { x509: { secretName: s } }')
    expect(kafkaOf(given)).toEqual({ brokers: ['h:1'], tls })
    expect(toldOf(given)).toContain('authType: has no effect with enabled: false')
  })

  test.each([
    [
      login('sasl: { saslType: plain, secretName: s }, x509: { secretName: s }'),
      'exactly one of these must stand here',
    ],
    [login(''), 'exactly one of these must stand here: sasl, x509, systemAssignedManagedIdentity'],
    [`endpoint: "h:1", ${secure}, authentication: { enabled: true }`, 'authType: missing; expected sasl, x509'],
    [login('sasl: { saslType: scram-sha-255, secretName: s }'), 'did you mean "scram-sha-256"?'],
    [login('sasl: { saslType: plain }'), "secretName: missing; expected a secret's name"],
    [login('sasl: { saslType: plain, secretName: s, token: { secretName: s } }'), 'it is named in token as well'],
    [login('sasl: { saslType: plain, password: hunter2 }'), 'a secret never stands in a document'],
    [login('sasl: { saslType: plain, secretName: s }').replace('true', 'false'), 'in clear (set tls.tlsEnabled: true)'],
  ])('%s is refused', (kafka, message) => expect(toldOf(kafka)).toContain(message))
})

describe('localBrokerConnection', () => {
  const mqttOf = (fields: string) =>
    translated(connector({ rest: `  localBrokerConnection: { ${fields} }\n` })).connections['hub-local']?.mqtt

  test('its endpoint and TLS make the URL', () => {
    expect(mqttOf('endpoint: "b:99"')?.url).toBe('mqtt://b:99')
    const own = mqttOf('endpoint: "b:8883", tls: { tlsEnabled: true, trustedCaCertificateConfigMap: ca }')
    expect(own).toMatchObject({ url: 'mqtts://b:8883', tls: { caSecretName: 'ca' } })
  })

  test('the service account’s token is read from its file', () => {
    const kubernetes = 'kubernetes: { secretPath: /run/tokens/, serviceAccountTokenName: mq-sat }'
    expect(mqttOf(`authentication: { ${kubernetes} }`)?.auth?.token?.file).toBe('/run/tokens/mq-sat')
    expect(mqttOf('authentication: { kubernetes: {} }')?.auth?.token?.file).toMatch(/sat$/)
  })
})

test('what is for its own containers is told to say nothing here', () => {
  const rest = '  image: { tag: x }\n  nodeTolerations: []\n'
  const { notes } = translated(connector({ rest }))
  const silent = notes.filter(note => note.includes('says nothing here'))
  expect(silent.map(note => note.replace(/^\S+ note: spec\.(\w+): says nothing here.*$/, '$1')).sort()).toEqual([
    'image',
    'nodeTolerations',
  ])
})

test('a prefix of client ids is that of both connections', () => {
  const { connections, notes } = translated(connector({ rest: '  clientIdPrefix: my-prefix\n' }))
  expect(connections['hub']?.kafka?.clientIdPrefix).toBe('my-prefix')
  expect(connections['hub-local']?.mqtt?.clientIdPrefix).toBe('my-prefix')
  expect(notes.join()).toContain('spec.clientIdPrefix: clients are called <prefix>:<installation>-<route>-<subscriber>')
})

test('how to start as many instances is told', () => {
  expect(translated(connector()).notes.join()).toContain(
    'spec.instances: start each service that its routes use so often',
  )
  expect(translated(connector()).notes.join()).toContain('replicas: 2; Compose: --scale <service>=2')
})

test('no instances are told to stop nothing', () => {
  expect(translated(connector().replace('instances: 2', 'instances: 0')).told.join()).toContain(
    'spec.instances: its routes run all the same',
  )
})

test.each([
  [connector().replace('v1beta1', 'v1'), 'f:1:13: apiVersion: expected one of mq.iotoperations.azure.com/v1beta1; did'],
  [
    connector().replace('KafkaConnector', 'KafkaConector'),
    'kind: expected one of KafkaConnector, KafkaConnectorTopicMap',
  ],
  [connector().replace('instances', 'instanses'), 'spec.instanses: unknown field'],
  [connector().replace('instances: 2', 'instances: 65536'), 'expected a whole number from 0 to 65535'],
  [connector().replace('tlsEnabled: true', ''), 'tlsEnabled: missing; expected true or false'],
  [connector().replace('endpoint: "h:9093", ', ''), 'endpoint: missing; expected text'],
  [connector({ rest: '  clientIdPrefix: a/b\n' }), 'spec.clientIdPrefix: expected at most 64 visible ASCII characters'],
  [connector({ rest: '  logLevel: warm\n' }), 'did you mean "warn"?'],
  [
    connector({ rest: '  localBrokerConnection: { endpoint: b }\n' }),
    'expected host:port, such as aio-mq-dmqtt-frontend:1883',
  ],
  [connector({ name: '"***"' }), 'f:3:19: metadata.name: expected a name'],
])('%#: what is wrong is told where it stands', (text, message) => {
  const { told } = translated(text)
  expect(told.join('\n')).toContain(message)
})

test('what Kubernetes adds to a resource says nothing', () => {
  const exported = connector()
    .replace('{ name: hub }', '{ name: hub, namespace: n, uid: u, labels: { a: b }, creationTimestamp: "2023" }')
    .concat('status: { phase: Running }\n')
  expect(Object.keys(translated(exported).connections)).toEqual(['hub', 'hub-local'])
})

test('a name that is none here is made one, and told', () => {
  const { connections, notes } = translated(connector({ name: 'My.Hub' }))
  expect(Object.keys(connections)).toEqual(['my-hub', 'my-hub-local'])
  expect(notes.join('\n')).toContain('metadata.name: its connection is called my-hub here')
  const long = translated(connector({ name: 'x'.repeat(70) }), connector({ name: `${'x'.repeat(70)}y` }))
  expect(Object.keys(long.connections)).toHaveLength(4)
})

test('a connector twice, or beside a connection of its name, is told', () => {
  const twice = translated(connector(), connector()).told.filter(one => one.includes('there is another'))
  expect(twice).toEqual([expect.stringContaining('there is another KafkaConnector of this name, at f:3')])
  const native =
    'apiVersion: millrace.dev/v1\nkind: Connection\nmetadata: { name: hub-local }\nspec:\n  mqtt: { url: "mqtt://h" }\n'
  expect(translated(connector(), native).told.join('\n')).toContain('there is another Connection of this name, at f:3')
})

test('routes of a connector that is not valid are not told to have none', () => {
  const told = translated(topicMap(), connector({ kafka: 'endpoint: 5' })).told.join('\n')
  expect(told).not.toContain('there is no such')
})
