/** A broker that takes what is published, and answers as a test has it. */
import type { IConnackPacket, IPublishPacket, Packet } from 'mqtt-packet'
import { accepted, type Client, type ScriptedBroker, startScriptedBroker } from './scripted-broker.ts'

type Answer = (client: Client, publish: IPublishPacket) => void

/** A broker that lets everybody in, and answers PUBLISH and PUBREL. */
export const answering = (answer: Answer, connack: IConnackPacket = accepted): Promise<ScriptedBroker> =>
  startScriptedBroker((client, packet) => {
    if (packet.cmd === 'connect') client.send(connack)
    if (packet.cmd === 'pingreq') client.send({ cmd: 'pingresp' })
    if (packet.cmd === 'publish') answer(client, packet)
    if (packet.cmd === 'pubrel') client.send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0, reasonCode: 0 })
  })

/** PUBACK or PUBREC with a reason code. */
export const answer = (client: Client, { qos, messageId = 0 }: IPublishPacket, reasonCode = 0) => {
  if (qos > 0) client.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId, reasonCode })
}

/** Whether it is a PUBLISH. */
export const isPublish = (packet: Packet): packet is IPublishPacket => packet.cmd === 'publish'

/** What came over all connections, in order. */
export const payloads = (broker: ScriptedBroker): string[] =>
  broker.clients.flatMap(({ received }) => received.filter(isPublish).map(({ payload }) => payload.toString()))

/** Of one topic, with QoS 1. */
export const records = (...values: string[]) => values.map(value => ({ topic: 't', value }))
