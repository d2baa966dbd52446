/** TCP ports for servers, and the least that shows that one answers. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

const host = '127.0.0.1'

/** A port that somebody else listens on. */
export class PortTakenError extends Error {
  /** @override */
  name = 'PortTakenError'
}

/**
 * What this process was given: nobody may listen there yet, or for a while.
 * @type {Set<number>}
 */
const given = new Set()

/**
 * A port that nobody listens on, and that was not given before. It is below the range that systems take for outgoing
 * connections, so that nobody gets it while a server that was killed is away; and each worker of the tests has ports of
 * its own, so that none takes what another was given and does not listen on yet.
 * @returns {Promise<number>}
 */
export async function freePort() {
  const worker = Number(process.env.VITEST_POOL_ID ?? 0) % 8
  for (;;) {
    const port = 15_000 + 8 * Math.floor(Math.random() * 2_125) + worker
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
}

/**
 * @param {string} name of the server that wants it
 * @param {number} port
 * @throws {PortTakenError}
 */
export async function requireFree(name, port) {
  if (!(await isFree(port))) throw new PortTakenError(`port ${port}, for ${name}, is taken by another process`)
}

/** @param {number} port */
async function isFree(port) {
  const server = createServer()
  try {
    server.listen(port, host)
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}

/**
 * Sends bytes on a new connection and gives the first bytes of the answer.
 * @param {number} port
 * @param {Buffer} question
 * @returns {Promise<Buffer>}
 */
export async function ask(port, question) {
  const socket = connect(port, host)
  try {
    socket.end(question)
    const signal = AbortSignal.timeout(2_000)
    const [answer] = await Promise.race([
      once(socket, 'data', { signal }),
      once(socket, 'close', { signal }).then(() => Promise.reject(new Error('closed without an answer'))),
    ])
    return answer
  } finally {
    socket.destroy()
  }
}
