import { noLeaks } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { answer, answering, payloads, records } from './answering.ts'
import { add, publisherTo } from './publishing.ts'
import { accepted, startScriptedBroker } from './scripted-broker.ts'

noLeaks()

describe('a broker that closes the connection and does not say why', () => {
  const hangingUpOn = (value: string, times = Number.POSITIVE_INFINITY) => {
    let left = times
    return answering((client, publish) => {
      if (String(publish.payload) === value && left-- > 0) client.destroy()
      else setImmediate(() => answer(client, publish))
    })
  }

  test.each([1, 2] as const)('one poison record stopped its lane for ever (QoS %i)', async qos => {
    await using broker = await hangingUpOn('c')
    const publisher = publisherTo(broker.port)
    add(publisher, ...['a', 'b', 'c', 'd'].map(value => ({ topic: `t/${value}`, value, qos })))
    const outcomes = [await publisher.deliver()]
    while (outcomes.at(-1)?.is === 'unknown') outcomes.push(await publisher.deliver())
    expect(outcomes.at(-1)).toMatchObject({ is: 'refused', refusals: [{ index: 2, code: 'refused' }] })
    const message = expect.stringContaining('t/c, alone on its way, 2 of 3 times')
    expect(outcomes.at(-3)).toMatchObject({ problem: { code: 'broker_disconnected', message } })
    expect(outcomes.length).toBeLessThanOrEqual(7)
    expect(payloads(broker).at(-1)).toBe('d')
    await publisher.close()
  })

  test('over one PUBLISH after another has refused the first after 3 times, the next one after 6', async () => {
    let isWell = false
    await using broker = await answering((client, publish) => (isWell ? answer(client, publish) : client.destroy()))
    const publisher = publisherTo(broker.port)
    add(publisher, ...records('a', 'b', 'c'))
    const unknown = async (times: number) => {
      for (let n = 0; n < times; n++) expect(await publisher.deliver()).toMatchObject({ is: 'unknown' })
    }
    // Each begins with one time that nobody knows which one it was.
    await unknown(1 + 3 + 1 + 6 + 1 + 11)
    isWell = true
    const refusals = [0, 1].map(index => ({ index, code: 'refused' }))
    expect(await publisher.deliver()).toMatchObject({ is: 'refused', refusals })
    add(publisher, ...records('d', 'e'))
    isWell = false
    await unknown(1 + 3)
    isWell = true
    expect(await publisher.deliver()).toMatchObject({ is: 'refused', refusals: [{ index: 0 }] })
    await publisher.close()
  })

  test('twice over the same PUBLISH, and then takes it, has refused nothing', async () => {
    await using broker = await hangingUpOn('a', 3)
    const publisher = publisherTo(broker.port)
    add(publisher, ...records('a', 'b'))
    // The first time nobody knows which one it was.
    for (let n = 0; n < 3; n++) expect(await publisher.deliver()).toMatchObject({ is: 'unknown' })
    expect(await publisher.deliver()).toMatchObject({ is: 'done' })
    await publisher.close()
  })

  test('or is not there, or lets nobody in, has refused nothing', async () => {
    let isOpen = true
    await using broker = await startScriptedBroker((client, packet) => {
      if (!isOpen) client.destroy()
      else if (packet.cmd === 'connect') client.send(accepted)
      else if (broker.clients.length > 9 && packet.cmd === 'publish') answer(client, packet)
      else client.destroy()
    })
    const publisher = publisherTo(broker.port)
    add(publisher, ...records('a'))
    for (let n = 0; n < 3; n++) expect(await publisher.deliver()).toMatchObject({ is: 'unknown' })
    isOpen = false
    for (let n = 0; n < 6; n++) expect(await publisher.deliver()).toMatchObject({ is: 'hold' })
    isOpen = true
    expect(await publisher.deliver()).toMatchObject({ is: 'done' })
    await publisher.close()
  })
})
