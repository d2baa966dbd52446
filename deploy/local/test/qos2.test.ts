/**
 * QoS 2, with mqtt-ingress killed at the worst moment: after it has stored a message and said so (PUBREC), and before
 * the broker's PUBREL has reached it. Either the PUBREL is lost, or the PUBREC itself.
 */
import { noLeaks } from '@millrace/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sigkill } from './faults.ts'
import { watchPackets } from './packets.ts'
import { publish } from './publishers.ts'
import { print, Tally } from './tally.ts'
import { ledgerRoute, startWhole, type Whole } from './whole.ts'

noLeaks()

let whole: Whole
beforeAll(async () => {
  whole = await startWhole()
})
afterAll(() => whole[Symbol.asyncDispose]())

/** Kills mqtt-ingress on the way of a packet that is then lost, when asked to. */
class Strikes {
  /** Messages whose PUBREL was lost and that were not completed (PUBCOMP) since. */
  readonly incomplete = new Set<number | undefined>()
  #waiting: { for: 'pubrec' | 'pubrel'; struck: () => void } | undefined

  constructor() {
    watchPackets(whole.mqttProxy, {
      request: ({ cmd, messageId }) => {
        if (cmd === 'pubcomp') this.incomplete.delete(messageId)
        return cmd === 'pubrec' ? this.#pass(cmd) : 'pass'
      },
      answer: ({ cmd, messageId }) => {
        if (cmd !== 'pubrel' || this.#pass(cmd) === 'pass') return 'pass'
        this.incomplete.add(messageId)
        return 'cut'
      },
    })
  }

  /** Resolves when mqtt-ingress is killed. */
  at(packet: 'pubrec' | 'pubrel'): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting = { for: packet, struck: resolve }
    return promise
  }

  #pass(packet: 'pubrec' | 'pubrel'): 'pass' | 'cut' {
    if (this.#waiting?.for !== packet) return 'pass'
    sigkill(whole.service('mqtt-ingress-1'))
    this.#waiting.struck()
    this.#waiting = undefined
    return 'cut'
  }
}

test('QoS 2, with mqtt-ingress killed between PUBREC and PUBREL', { timeout: 180_000 }, async () => {
  const strikes = new Strikes()
  await whole.apply(ledgerRoute('exact'))
  await whole.untilRunning('exact')
  const tally = new Tally(whole, 'exact')
  const over = new AbortController()
  const strikeAll = async () => {
    for (const packet of Array.from({ length: 4 }, () => ['pubrel', 'pubrec'] as const).flat()) {
      await strikes.at(packet)
      await tally.arrive(300)
    }
  }
  const load = { publishers: 20, each: 500, until: over.signal, qos: 2, rate: 1_000 } as const
  await Promise.all([
    strikeAll().finally(() => over.abort()),
    publish({ url: whole.mosquitto.url, root: 'exact', ...load, ledger: tally.ledger }),
  ])
  await tally.settle()
  print('ledger of QoS 2, mqtt-ingress killed 4 times as PUBREL came, and 4 times as PUBREC left', [tally])
  const { acknowledged, lost, outOfOrder } = tally.ledger.report()
  expect(acknowledged).toBeGreaterThanOrEqual(10_000)
  expect({ lost, outOfOrder }).toEqual({ lost: [], outOfOrder: [] })
  expect(strikes.incomplete).toEqual(new Set())
  expect(whole.service('mqtt-ingress-1').restarts).toBe(8)
})
