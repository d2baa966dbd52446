import { expect, test } from 'vitest'
import { kafkaConfig } from '../servers/kafka.mjs'
import { mosquittoConfig } from '../servers/mosquitto.mjs'
import { natsConfig } from '../servers/nats.mjs'
import { atLeast } from '../tools/command.mjs'
import { project } from '../tools/kafka.mjs'

test('nats-server flushes before each answer unless told otherwise', () => {
  const options = { binary: 'nats-server', folder: '/a "b"', port: 1, monitorPort: 2 }
  expect(natsConfig(options)).toContain('sync_interval: always')
  expect(natsConfig(options)).toContain('store_dir: "/a \\"b\\"/store"')
  expect(natsConfig({ ...options, syncAlways: false })).not.toContain('sync_interval')
})

test('mosquitto asks for passwords only where there are some', () => {
  const options = { binary: 'mosquitto', folder: '/f', port: 1 }
  expect(mosquittoConfig(options)).toContain('\nallow_anonymous true\n')
  const asked = mosquittoConfig({ ...options, passwordFile: '/p' })
  expect(asked).toContain('\nallow_anonymous false\npassword_file /p\n')
})

test("Kafka's settings can be overridden, and a proxy's port is what clients are told", () => {
  const options = { jars: '/j', folder: '/f', port: 1, controllerPort: 2, proxied: { port: 3, advertisedPort: 4 } }
  const lines = kafkaConfig({ ...options, properties: { 'auto.create.topics.enable': 'true' } }).split('\n')
  expect(lines.filter(line => line.startsWith('auto.create'))).toEqual(['auto.create.topics.enable=true'])
  expect(lines).toContain('advertised.listeners=CLIENT://127.0.0.1:1,PROXIED://127.0.0.1:4')
})

test('versions are compared by their numbers', () => {
  expect(atLeast('2.15.2', '2.14.3')).toBe(true)
  expect(atLeast('2.9.10', '2.14.3')).toBe(false)
  expect(atLeast('2.14.3', '2.14.3')).toBe(true)
})

test('a Maven project names its dependencies', () => {
  expect(project(['g:a:1'])).toContain(
    '<dependency><groupId>g</groupId><artifactId>a</artifactId><version>1</version></dependency>',
  )
})
