/** MQTT packets on their way through a proxy, read by a parser that is not ours. */
import type { OnBytes, Proxy } from '@millrace/testkit'
import { type Packet, type Parser, parser } from 'mqtt-packet'

/** Sees each packet; where it says `cut`, the connection is cut before the packet arrives. */
export type OnPacket = (packet: Packet) => 'pass' | 'cut'

/** Looks at all packets of connections that begin from now on. */
export function watchPackets(proxy: Proxy, see: { request: OnPacket; answer: OnPacket }): void {
  proxy.onRequest(packetwise(see.request))
  proxy.onAnswer(packetwise(see.answer))
}

function packetwise(see: OnPacket): OnBytes {
  const parsers = new WeakMap<object, Parser>()
  let verdict: ReturnType<OnPacket> = 'pass'
  const begin = (connection: object) => {
    const begun = parser({ protocolVersion: 5 })
    begun.on('packet', packet => {
      if (see(packet) === 'cut') verdict = 'cut'
    })
    parsers.set(connection, begun)
    return begun
  }
  return (bytes, connection) => {
    verdict = 'pass'
    const reader = parsers.get(connection) ?? begin(connection)
    reader.parse(bytes)
    return verdict
  }
}
