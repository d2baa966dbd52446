/** Publishers that count: each sends numbered messages in order and notes in a ledger what the broker acknowledged. */
import { createCipheriv, createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Ledger } from '@millrace/testkit'
import { connectAsync, type MqttClient } from 'mqtt'

export interface Publishing {
  url: string
  /** The first topic level; a publisher's topic is `<root>/<name>/n`. */
  root: string
  publishers: number
  /** Messages of each publisher. */
  each: number
  /** They do not end before it aborts: they send more than `each`, if need be. */
  until?: AbortSignal
  qos: 1 | 2
  /** Messages a second of all together. */
  rate: number
  /** Bytes of the payload of a message; the number alone unless told. */
  bytes?: (number: number) => number
  /** Publishers of different names can publish below one root, one after the other. `p` unless told. */
  prefix?: string
  ledger: Pick<Ledger, 'acknowledged'>
}

/** Messages of a publisher that may be unacknowledged. */
const WINDOW = 20

/** Publishes everything; resolves when all of it is acknowledged. MQTT.js sends again what a lost connection left open. */
export async function publish(options: Publishing): Promise<void> {
  const { publishers, prefix = 'p' } = options
  const names = Array.from({ length: publishers }, (_, index) => `${prefix}${index}`)
  await Promise.all(names.map(name => publishOne(name, options)))
}

async function publishOne(name: string, options: Publishing): Promise<void> {
  const client = await connectAsync(options.url, {
    protocolVersion: 5,
    clientId: `${options.root}-${name}`,
    clean: false,
    reconnectPeriod: 200,
    properties: { sessionExpiryInterval: 3_600 },
  })
  // A broker that is away is part of the test: MQTT.js tries again by itself.
  client.on('error', () => undefined)
  try {
    await publishAll(client, name, options)
  } finally {
    await client.endAsync(true)
  }
}

async function publishAll(client: MqttClient, name: string, options: Publishing): Promise<void> {
  const { root, each, qos, rate, publishers, bytes = () => 0, ledger, until } = options
  const wanted = (number: number) => number < each || until?.aborted === false
  const begun = performance.now()
  const open = new Set<Promise<void>>()
  for (let number = 0; wanted(number); number += 1) {
    const early = begun + (number * publishers * 1000) / rate - performance.now()
    if (early > 0) await sleep(early)
    const acknowledged = publishSurely(client, `${root}/${name}/n`, payloadOf(name, number, bytes(number)), qos)
      .then(() => ledger.acknowledged(name, number))
      .finally(() => open.delete(acknowledged))
    open.add(acknowledged)
    while (open.size >= WINDOW) await Promise.race(open)
  }
  await Promise.all(open)
}

/**
 * MQTT.js gives back what it is asked to publish while it sends again what was open, if the connection goes again
 * meanwhile: it has sent nothing of that. All of it comes back at once, in order, and goes out in that order.
 */
async function publishSurely(client: MqttClient, topic: string, payload: Buffer, qos: 1 | 2): Promise<void> {
  try {
    await client.publishAsync(topic, payload, { qos })
  } catch (error) {
    if (!(error instanceof Error) || error.message !== 'Connection closed') throw error
    await publishSurely(client, topic, payload, qos)
  }
}

/** The number, and where more bytes are asked for, noise behind it that no other message has. */
export function payloadOf(publisher: string, number: number, bytes: number): Buffer {
  const head = Buffer.from(`${number}\n`)
  if (bytes <= head.length) return head
  const key = createHash('md5').update(`${publisher} ${number}`).digest()
  const noise = createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes - head.length))
  return Buffer.concat([head, noise])
}

/** The number of a payload. Throws where it is not, byte for byte, what this publisher sent under that number. */
export function numberOf(publisher: string, payload: Buffer): number {
  const number = Number(payload.toString('latin1', 0, payload.indexOf('\n')))
  if (payload.equals(payloadOf(publisher, number, payload.length))) return number
  throw new Error(`${payload.length} bytes of ${publisher}, number ${number}, are not what was published`)
}
