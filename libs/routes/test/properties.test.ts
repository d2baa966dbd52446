import { formatProblem, readDocuments, secretsOf } from '@millrace/routes'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const read = (text: string, file = 'lake.properties') => readDocuments([{ file, text }])
const told = (text: string) => read(text).problems.map(formatProblem)
const kafkaOf = (text: string) => read(text).connections.map(({ kafka }) => kafka)[0]
const secretOf = (text: string) => Object.fromEntries(secretsOf({ file: 'lake.properties', text })?.values ?? [])

const tls = { verify: true, insecure: false }
const hub = 'bootstrap.servers=NAMESPACENAME.servicebus.windows.net:9093\nsecurity.protocol=SASL_SSL\n'
const hush = 'Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=aHVzaA=='
const jaas = (module: string, options: string) => `sasl.jaas.config=org.apache.kafka.${module} required ${options};\n`
const withPassword = `${hub}sasl.mechanism=PLAIN\n${jaas('common.security.plain.PlainLoginModule', `username="$ConnectionString" password="${hush}"`)}`

test('a client’s properties with a shared access signature are a connection, and its secret', () => {
  const { connections, problems } = read(withPassword)
  expect(connections).toEqual([
    {
      name: 'lake',
      kafka: {
        brokers: ['NAMESPACENAME.servicebus.windows.net:9093'],
        tls,
        auth: { sasl: { mechanism: 'plain', secretName: 'lake' } },
      },
    },
  ])
  expect(problems.map(formatProblem)).toEqual([
    'lake.properties:4:18: warning: sasl.jaas.config: this stays in the file: the services need it as the keys ' +
      'username and password of the secret lake (millrace convert --secrets FOLDER writes them)',
  ])
  expect(secretOf(withPassword)).toEqual({ username: '$ConnectionString', password: hush })
})

test('a client’s properties with a callback class for Event Hubs log in as a managed identity', () => {
  const text = `${hub}sasl.mechanism=OAUTHBEARER
sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
sasl.login.callback.handler.class=CustomAuthenticateCallbackHandler;
`
  expect(kafkaOf(text)?.auth).toEqual({ managedIdentity: { audience: 'https://NAMESPACENAME.servicebus.windows.net' } })
  expect(told(text)).toEqual([
    expect.stringContaining("5:35: warning: sasl.login.callback.handler.class: a Java class can't"),
  ])
})

test.each(['SCRAM-SHA-256', 'SCRAM-SHA-512'])('%s has a user name and a password', mechanism => {
  const text = `bootstrap.servers=a:1, b:2\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=${mechanism}\n${jaas('x.ScramLoginModule', "username='ann' password=pw")}`
  expect(kafkaOf(text)).toEqual({
    brokers: ['a:1', 'b:2'],
    auth: { sasl: { mechanism: mechanism.toLowerCase(), secretName: 'lake' } },
  })
  expect(secretOf(text)).toEqual({ username: 'ann', password: 'pw' })
})

describe('OAUTHBEARER', () => {
  const bearer = (url: string) =>
    `bootstrap.servers=h:1\nsecurity.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.token.endpoint.url=${url}\n`
  const client = 'clientId="me" clientSecret="hush" scope="kafka"'
  const expected = {
    sasl: { mechanism: 'oauthbearer', tokenEndpoint: 'https://login/token', scope: 'kafka', secretName: 'lake' },
  }

  test('by a client’s credentials, of the login module or of the properties themselves', () => {
    const text = bearer('https://login/token') + jaas('x.OAuthBearerLoginModule', client)
    expect(kafkaOf(text)?.auth).toEqual(expected)
    const own = `${bearer('https://login/token')}sasl.oauthbearer.scope=kafka
sasl.oauthbearer.client.credentials.client.id=me\nsasl.oauthbearer.client.credentials.client.secret=hush\n`
    expect(kafkaOf(own)?.auth).toEqual(expected)
    for (const one of [text, own]) expect(secretOf(one)).toEqual({ client_id: 'me', client_secret: 'hush' })
  })

  test('by a file', () => {
    expect(kafkaOf(bearer('file:///run/to%20ken'))?.auth).toEqual({
      sasl: { mechanism: 'oauthbearer', tokenFile: '/run/to ken' },
    })
  })

  test('with a scope that can not be seen is refused', () => {
    const text = bearer('https://login/token') + jaas('x.OAuthBearerLoginModule', client.replace('kafka', '\\u202e'))
    expect(told(text).join()).toContain('the character U+202E')
  })

  test('by nothing is refused', () => {
    expect(told(bearer('')).join()).toContain('OAUTHBEARER needs sasl.oauthbearer.token.endpoint.url')
    expect(told(bearer('https://login/token')).join()).toContain('expected ...OAuthBearerLoginModule required clientId')
  })
})

describe('TLS', () => {
  const ssl = (rest: string) => `bootstrap.servers=h:1\nsecurity.protocol=SSL\n${rest}\n`
  const pem = (what: string) => `-----BEGIN ${what}-----\\nMII\\n-----END ${what}-----`

  test('trusts the authorities of a PEM file', () => {
    expect(kafkaOf(ssl('ssl.truststore.location=/etc/ca.pem'))?.tls).toEqual({ ...tls, caFile: '/etc/ca.pem' })
    expect(kafkaOf(ssl('ssl.truststore.location=ca\nssl.truststore.type=PEM'))?.tls).toEqual({ ...tls, caFile: 'ca' })
    expect(told(ssl('ssl.truststore.location=/etc/ca.jks')).join()).toContain('only PEM is read, not a store of Java')
  })

  test('trusts authorities that stand in the file, by a secret', () => {
    const text = ssl(`ssl.truststore.certificates=${pem('CERTIFICATE')}`)
    expect(kafkaOf(text)?.tls).toEqual({ ...tls, caSecretName: 'lake' })
    expect(secretOf(text)).toEqual({ 'ca.crt': '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----' })
  })

  test('shows a certificate, by a secret', () => {
    const text = ssl(`ssl.keystore.key=${pem('PRIVATE KEY')}\nssl.keystore.certificate.chain=${pem('CERTIFICATE')}`)
    expect(kafkaOf(text)?.auth).toEqual({ x509: { secretName: 'lake' } })
    expect(Object.keys(secretOf(text))).toEqual(['tls.crt', 'tls.key'])
    const file = ssl('ssl.keystore.location=me.pem')
    expect(kafkaOf(file)?.auth).toEqual({ x509: { secretName: 'lake' } })
    expect(told(file).join()).toContain(
      'put the certificate and the key of this file into the keys tls.crt and tls.key',
    )
    expect(told(ssl('ssl.keystore.location=me.p12')).join()).toContain('only PEM is read')
  })

  test('compares names, and knows no passwords of stores', () => {
    const text = ssl('ssl.endpoint.identification.algorithm=\nssl.key.password=hush\nssl.keystore.password=hush')
    expect(told(text)).toEqual([
      expect.stringContaining('3:39: warning: ssl.endpoint.identification.algorithm: the name in the certificate'),
      expect.stringContaining('ssl.key.password: has no effect'),
      expect.stringContaining('ssl.keystore.password: has no effect'),
    ])
  })
})

test.each([
  ['security.protocol=SSL', 'lake.properties:1:1: bootstrap.servers: missing'],
  ['bootstrap.server=h:1', 'did you mean "bootstrap.server"?'],
  ['bootstrap.servers=h', 'lake.properties:1:19: bootstrap.servers: expected host:port'],
  ['bootstrap.servers=h:1\nsecurity.protocol=SASL', 'security.protocol: expected one of PLAINTEXT, SSL'],
  ['bootstrap.servers=h:1\nsecurity.protocol=SASL_SSL', 'sasl.mechanism: missing; expected one of PLAIN, SCRAM'],
  [withPassword.replace('=PLAIN', '=GSSAPI'), 'sasl.mechanism: expected one of PLAIN, SCRAM-SHA-256'],
  [withPassword.replace('SASL_SSL', 'SASL_PLAINTEXT'), 'SASL plain without TLS sends the password in clear'],
  [withPassword.replace('PlainLogin', 'ScramLogin'), 'expected ...PlainLoginModule required username'],
  [withPassword.replace('password=', 'passwort='), 'expected ...PlainLoginModule required username'],
  [`${withPassword}ssl.keystore.location=a.pem`, 'logs in by SASL or with a certificate, not with both'],
  ['bootstrap.servers=h:1\nbootstrap.servers=h:2', '2:1: this key stands here twice'],
  ['bootstrap.servers=h:1\nacks=all', 'lake.properties:1:1: note: 1 of its properties say nothing here'],
  ['bootstrap.servers=h:1\nsecurity.protocoll=SSL', 'did you mean "security.protocol"?'],
  ['bootstrap.servers=h:1\nssl.truststore.location=\\u202e.pem\nsecurity.protocol=SSL', 'the character U+202E'],
  ['#'.repeat(2 ** 20 + 1), 'larger than 1 MiB'],
  ['a\\\n'.repeat(300_000), 'expected a property and its value'],
  ['\\'.repeat(1_000_000), 'expected a property and its value'],
  ['a=b\n'.repeat(1001), 'more than 1000 properties'],
])('%#: what is wrong is told where it stands', (text, message) => expect(told(text).join('\n')).toContain(message))

test('lines go on after a backslash, and keys end where Java says', () => {
  const text =
    '\n# c\n! c\n  bootstrap.servers : a:1,\\\n   b:2\nsecurity.protocol   SSL\r\nssl.truststore.location = C:\\\\ca.pem'
  expect(kafkaOf(text)).toEqual({ brokers: ['a:1', 'b:2'], tls: { ...tls, caFile: 'C:\\ca.pem' } })
})

test('the connection has the file’s name, made legal', () => {
  const names = ['a/b/My_Lake.properties', 'client.properties'].flatMap(file =>
    read('bootstrap.servers=h:1', file).connections.map(({ name }) => name),
  )
  expect(names).toEqual(['my-lake', 'client'])
})

test.each(['\n', '\n  ', '"', ' ', '=', ''])('a secret comes out in no message, wherever %j breaks the file', put => {
  for (let at = 0; at <= withPassword.length; at++) {
    const { connections, problems } = read(withPassword.slice(0, at) + put + withPassword.slice(at))
    expect(JSON.stringify([connections, problems])).not.toMatch(/aHVz|SharedAccess|sb:/)
  }
})

test('whatever the text, reading never throws, and every problem has a place in it', () => {
  const word = fc.constantFrom(
    'sasl.jaas.config',
    'bootstrap.servers',
    '=',
    ':',
    '\\',
    '\n',
    '\r',
    '"',
    ' ',
    '\\u0',
    ';',
    'required',
    'a.B',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(word).map(words => words.join('')),
        fc.string({ unit: 'binary' }),
      ),
      text => {
        for (const { line, column } of read(text).problems) {
          expect(line).toBeGreaterThanOrEqual(1)
          expect(column).toBeGreaterThanOrEqual(1)
        }
      },
    ),
    { numRuns: 1000 },
  )
})
