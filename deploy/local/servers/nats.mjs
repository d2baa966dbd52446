/** nats-server with JetStream on this machine. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { start, untilAnswers } from './child.mjs'
import { requireFree } from './ports.mjs'

/**
 * @typedef {object} NatsOptions
 * @property {string} binary
 * @property {string} folder for its configuration, log and JetStream's files
 * @property {number} port
 * @property {number} monitorPort
 * @property {boolean} [syncAlways] flush to the disk before each PubAck (the default), or every two minutes
 * @property {string} [storeDir] JetStream's files, `<folder>/store` if left out
 * @property {string} [maxFileStore] most that JetStream stores, like `100MB`; else nats-server's own default, three
 *   quarters of what is free on the disk, so that a stream fills before the disk does
 * @property {string} [maxPayload] like `1MB`, which is its default
 * @property {string} [users] an `accounts` or `authorization` block, as text of its configuration
 * @property {string} [extra] more text of its configuration
 */

/**
 * Starts nats-server and waits until JetStream has recovered its streams.
 * @param {NatsOptions} options
 * @returns {Promise<import('./child.mjs').Child>}
 */
export async function startNats(options) {
  const { binary, folder, port, monitorPort } = options
  const [config, log] = [path.join(folder, 'nats-server.conf'), path.join(folder, 'nats-server.log')]
  await requireFree('nats-server', port)
  await requireFree("nats-server's monitoring", monitorPort)
  await rm(path.join(folder, 'ports'), { recursive: true, force: true })
  await mkdir(path.join(folder, 'ports'), { recursive: true })
  await writeFile(config, natsConfig(options), { mode: 0o600 })
  const child = start(binary, ['-c', config], { log })
  await untilAnswers(child, () => healthy(options, child.pid), { name: 'nats-server', log })
  return child
}

/**
 * The text of nats-server's configuration file.
 * @param {NatsOptions} options
 */
export function natsConfig({ folder, port, monitorPort, syncAlways = true, ...options }) {
  const quoted = JSON.stringify
  return [
    'host: 127.0.0.1',
    `port: ${port}`,
    `http: "127.0.0.1:${monitorPort}"`,
    `ports_file_dir: ${quoted(path.join(folder, 'ports'))}`,
    'jetstream {',
    `  store_dir: ${quoted(options.storeDir ?? path.join(folder, 'store'))}`,
    ...(syncAlways ? ['  sync_interval: always'] : []),
    ...(options.maxFileStore === undefined ? [] : [`  max_file_store: ${options.maxFileStore}`]),
    '}',
    ...(options.maxPayload === undefined ? [] : [`max_payload: ${options.maxPayload}`]),
    options.users ?? '',
    options.extra ?? '',
  ].join('\n')
}

/**
 * @param {NatsOptions} options
 * @param {number} pid
 */
async function healthy({ folder, monitorPort }, pid) {
  // The file shows that it is this process that listens; /healthz, that JetStream is ready.
  await readFile(path.join(folder, 'ports', `nats-server_${pid}.ports`))
  const answer = await fetch(`http://127.0.0.1:${monitorPort}/healthz`)
  if (!answer.ok) throw new Error(`/healthz says ${answer.status}`)
}
