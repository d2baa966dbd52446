/** Kafka on this machine: KRaft, one node that is broker and controller, and another broker where that is asked for. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { ServerError, start, untilAnswers } from './child.mjs'
import { ask, freePort, requireFree } from './ports.mjs'

/**
 * @typedef {object} KafkaOptions
 * @property {string} jars the folder of its jars
 * @property {string} folder for its configuration, log and data
 * @property {number} port
 * @property {number} controllerPort
 * @property {number} [beside] the controller port of a node whose cluster this one joins, as its second broker
 * @property {{port: number, advertisedPort: number}} [proxied] one more listener, which tells clients to come to another
 *   port: that of a proxy in front
 * @property {Record<string, string>} [properties] broker settings; they win over ours
 * @property {string[]} [java] more options for the Java machine
 * @property {string[]} [scram] users for SCRAM that a new folder begins with, as Kafka's `format --add-scram` has them
 */

/** ApiVersions, version 0: the request that any Kafka answers before anything else. */
const apiVersions = Buffer.from('0000000a00120000000000010000', 'hex')

/**
 * Starts Kafka and waits until it answers requests. A folder without data is formatted first.
 * @param {KafkaOptions} options
 * @returns {Promise<import('./child.mjs').Child>}
 */
export async function startKafka(options) {
  const { jars, folder, port, java = [] } = options
  const [config, log] = [path.join(folder, 'server.properties'), path.join(folder, 'kafka.log')]
  for (const taken of [port, options.controllerPort, options.proxied?.port ?? []].flat()) {
    await requireFree('Kafka', taken)
  }
  await mkdir(folder, { recursive: true })
  await writeFile(config, kafkaConfig(options))
  await format(options, config)
  const child = start('java', javaArguments(jars, ['-Xms128m', '-Xmx512m', ...java], ['kafka.Kafka', config]), { log })
  await untilAnswers(child, () => ask(port, apiVersions), { name: 'Kafka', log })
  return child
}

/**
 * Makes what halves the cost of each start from then on: Kafka's classes as Java has them once it runs, and a formatted
 * data folder.
 * @param {string} jars
 * @param {string} into a folder, empty
 */
export async function prepareKafka(jars, into) {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-kafka-'))
  try {
    const java = [`-XX:ArchiveClassesAtExit=${path.join(into, 'classes.jsa')}`]
    const options = { jars, folder, port: await freePort(), controllerPort: await freePort(), java }
    const config = path.join(folder, 'server.properties')
    await writeFile(config, kafkaConfig(options))
    await format(options, config)
    await cp(dataOf(folder), dataOf(into), { recursive: true })
    await (await startKafka(options)).kill()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** @param {string} folder */
const dataOf = folder => path.join(folder, 'data')

/**
 * What {@link prepareKafka} has made for these jars.
 * @param {string} jars
 */
export const preparedFor = jars => path.join(path.dirname(jars), 'prepared')

/**
 * @param {KafkaOptions} options
 * @param {string} config
 */
async function format({ jars, folder, beside, scram = [] }, config) {
  const formatted = await stat(path.join(dataOf(folder), 'meta.properties')).catch(() => undefined)
  if (formatted !== undefined) return
  const prepared = dataOf(preparedFor(jars))
  const isPlain = scram.length === 0 && beside === undefined
  if (isPlain && existsSync(prepared)) return cp(prepared, dataOf(folder), { recursive: true })
  const main = ['kafka.tools.StorageTool', 'format', '-c', config, '-t', clusterId, '--ignore-formatted']
  for (const user of scram) main.push('--add-scram', user)
  await promisify(execFile)('java', javaArguments(jars, ['-XX:TieredStopAtLevel=1'], main)).catch(error => {
    throw new ServerError(`Kafka's storage could not be formatted: ${error.stdout}${error.stderr}`)
  })
}

/** Any id will do: there is only ever one cluster. */
const clusterId = 'bWlsbHJhY2UtbG9jYWwtMQ'

/**
 * What `java` needs to run one of Kafka's programs, quietly and on standard error.
 * @param {string} jars the folder of its jars
 * @param {string[]} options for the Java machine
 * @param {string[]} main the class and its arguments
 */
export function javaArguments(jars, options, main) {
  const log4j = path.join(import.meta.dirname, 'kafka-log4j2.xml')
  const classes = path.join(preparedFor(jars), 'classes.jsa')
  // Another Java than the one that made them does without, and need not say so.
  const shared = existsSync(classes) ? [`-XX:SharedArchiveFile=${classes}`, '-Xlog:disable'] : []
  const settings = ['-XX:+UseSerialGC', ...shared, ...options, `-Dlog4j2.configurationFile=${log4j}`]
  return [...settings, '-cp', `${jars}/*`, ...main]
}

/**
 * The text of Kafka's `server.properties`.
 * @param {KafkaOptions} options
 */
export function kafkaConfig({ folder, port, controllerPort, beside, proxied, properties = {} }) {
  const listeners = [`CLIENT://127.0.0.1:${port}`]
  if (beside === undefined) listeners.push(`CONTROLLER://127.0.0.1:${controllerPort}`)
  const advertised = [`CLIENT://127.0.0.1:${port}`]
  if (proxied !== undefined) {
    listeners.push(`PROXIED://127.0.0.1:${proxied.port}`)
    advertised.push(`PROXIED://127.0.0.1:${proxied.advertisedPort}`)
  }
  const settings = {
    'process.roles': beside === undefined ? 'broker,controller' : 'broker',
    'node.id': beside === undefined ? '1' : '2',
    'controller.quorum.voters': `1@127.0.0.1:${beside ?? controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'CLIENT',
    listeners: listeners.join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
    'log.dirs': dataOf(folder),
    ...oneSmallNode,
    ...properties,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** One replica of everything, few internal partitions to open at the start, no waiting for group members. */
const oneSmallNode = {
  'auto.create.topics.enable': 'false',
  'offsets.topic.num.partitions': '1',
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.num.partitions': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.num.partitions': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
  // Broker and controller are one process: after a kill, the old one's session must end before the new one may register.
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '500',
}
