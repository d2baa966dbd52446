/** mosquitto on this machine. */
import { mkdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import path from 'node:path'
import { start, untilAnswers } from './child.mjs'
import { ask, requireFree } from './ports.mjs'

/**
 * @typedef {object} MosquittoOptions
 * @property {string} binary
 * @property {string} folder for its configuration, log and stored sessions
 * @property {number} port
 * @property {boolean} [persistence] keep sessions and their messages over restarts: yes unless told. It writes them at
 *   its orderly end and every 30 minutes, so a SIGKILL loses what came since
 * @property {TlsListener} [tls] one more listener, with TLS
 * @property {string} [passwordFile] made by mosquitto_passwd; without one everybody may connect
 * @property {string} [extra] more lines of its configuration
 */
/**
 * @typedef {object} TlsListener
 * @property {number} port
 * @property {string} ca the file of the certificate that signs clients' certificates
 * @property {string} cert
 * @property {string} key
 * @property {boolean} [webSocket] whether MQTT goes over WebSocket there
 * @property {boolean} [requireCertificate] whether a client must show one; its common name is then its user name
 */

/** MQTT 3.1.1 CONNECT with a clean session and no client id: what any broker answers with a CONNACK. */
const connectPacket = Buffer.from('100c00044d5154540402003c0000', 'hex')

/**
 * Starts mosquitto and waits until it answers a CONNECT.
 * @param {MosquittoOptions} options
 * @returns {Promise<import('./child.mjs').Child>}
 */
export async function startMosquitto(options) {
  const { binary, folder, port, tls } = options
  const [config, log] = [path.join(folder, 'mosquitto.conf'), path.join(folder, 'mosquitto.log')]
  await requireFree('mosquitto', port)
  if (tls !== undefined) await requireFree("mosquitto's TLS", tls.port)
  await mkdir(folder, { recursive: true })
  await writeFile(config, mosquittoConfig(options))
  const child = start(binary, ['-c', config], { log })
  await untilAnswers(child, () => ask(port, connectPacket), { name: 'mosquitto', log })
  return child
}

/**
 * The text of mosquitto's configuration file.
 * @param {MosquittoOptions} options
 */
export function mosquittoConfig({ folder, port, persistence = true, tls, passwordFile, extra = '' }) {
  return [
    // Started by root, it would else become a user who may not write here.
    `user ${userInfo().username}`,
    'log_dest stderr',
    // Its own defaults drop messages beyond 1,000 queued ones, and hold all but 20 in flight back.
    'max_queued_messages 0',
    'max_inflight_messages 1000',
    `persistence ${persistence}`,
    `persistence_location ${folder}/`,
    passwordFile === undefined ? 'allow_anonymous true' : `allow_anonymous false\npassword_file ${passwordFile}`,
    extra,
    `listener ${port} 127.0.0.1`,
    ...(tls === undefined ? [] : tlsListener(tls)),
    '',
  ].join('\n')
}

/** @param {TlsListener} tls */
function tlsListener({ port, ca, cert, key, webSocket = false, requireCertificate = false }) {
  return [
    `listener ${port} 127.0.0.1`,
    `protocol ${webSocket ? 'websockets' : 'mqtt'}`,
    `cafile ${ca}`,
    `certfile ${cert}`,
    `keyfile ${key}`,
    `require_certificate ${requireCertificate}`,
    `use_identity_as_username ${requireCertificate}`,
  ]
}
