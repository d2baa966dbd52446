/** Publishers that count: each sends numbered messages in order and notes in a ledger what the broker acknowledged. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Ledger } from '@millrace/testkit'
import { connectAsync, type MqttClient } from 'mqtt'

export interface Publishing {
  url: string
  /** The first topic level; a publisher's topic is `<root>/p<i>/n`. */
  root: string
  publishers: number
  /** Messages of each publisher. */
  each: number
  qos: 1 | 2
  /** Messages a second of all together. */
  rate: number
  /** Bytes of a payload; the number stands in front. */
  payloadBytes?: number
  ledger: Ledger
}

const WINDOW = 20

/** Publishes everything; resolves when all of it is acknowledged. MQTT.js sends again what a lost connection left open. */
export async function publish(options: Publishing): Promise<void> {
  const names = Array.from({ length: options.publishers }, (_, index) => `p${index}`)
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
  const { root, each, qos, rate, publishers, payloadBytes = 0, ledger } = options
  const begun = performance.now()
  const open = new Set<Promise<void>>()
  for (let number = 0; number < each; number += 1) {
    const due = begun + (number * publishers * 1000) / rate
    if (due > performance.now()) await sleep(due - performance.now())
    const payload = Buffer.from(String(number).padEnd(payloadBytes))
    const acknowledged = client
      .publishAsync(`${root}/${name}/n`, payload, { qos })
      .then(() => ledger.acknowledged(name, number))
      .finally(() => open.delete(acknowledged))
    open.add(acknowledged)
    while (open.size >= WINDOW) await Promise.race(open)
  }
  await Promise.all(open)
}
