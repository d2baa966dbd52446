/** Every tool that a bare machine may lack, by name. */
import { ensureKafka } from './kafka.mjs'
import { ensureKcat } from './kcat.mjs'
import { ensureMosquitto } from './mosquitto.mjs'
import { ensureNatsServer } from './nats-server.mjs'
import { ensureNode } from './node.mjs'

/**
 * @typedef {object} Tool a program that is there to be used
 * @property {string} path what to run; for Kafka the folder of its jars
 * @property {string} version
 * @property {string} from why this one: where it was found, or what brought it
 */
/** @typedef {keyof typeof installers} ToolName */

const installers = {
  node: ensureNode,
  'nats-server': ensureNatsServer,
  mosquitto: ensureMosquitto,
  kafka: ensureKafka,
  kcat: ensureKcat,
}

/**
 * Makes sure that tools are there, and installs those that are not. Where all are there it only looks.
 * @template {ToolName} Name
 * @param {Name[]} names
 * @param {import('./folders.mjs').Say} [say] told of each step of an installation; standard error if left out
 * @returns {Promise<Record<Name, Tool>>}
 * @throws {Error} a tool can't be had; the message says what to install
 */
export async function ensureTools(names, say = line => process.stderr.write(`${line}\n`)) {
  const finding = names.map(async name => ({ [name]: await installers[name](say) }))
  // One that fails is told when nothing goes on any more: what is said of it is the last line.
  await Promise.allSettled(finding)
  return Object.assign({}, ...(await Promise.all(finding)))
}
