import * as fc from 'fast-check'
import { generate, type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { type Frame, Framer } from '../src/framer.ts'
import { encodePublish, type OutgoingPublish, ProtocolError, Publish, type QoS } from '../src/index.ts'
import { plain, stripped } from './plain.ts'

const text = fc.string({ unit: 'binary', maxLength: 20 }).map(value => value.toWellFormed().replaceAll('\0', ''))
const topic = text.map(value => value.replaceAll(/[+#]/g, '')).filter(value => value !== '')
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map(value => Buffer.from(value))

const message: fc.Arbitrary<OutgoingPublish> = fc
  .record(
    {
      topic,
      payload: bytes(300),
      qos: fc.constantFrom<QoS>(0, 1, 2),
      packetId: fc.integer({ min: 1, max: 65_535 }),
      retain: fc.boolean(),
      dup: fc.boolean(),
      payloadFormat: fc.constantFrom<0 | 1>(0, 1),
      messageExpiry: fc.nat(2 ** 32 - 1),
      contentType: text,
      responseTopic: text,
      correlationData: bytes(40),
      userProperties: fc.array(fc.tuple(text, text), { maxLength: 200 }),
    },
    { requiredKeys: ['topic', 'payload', 'qos', 'packetId'] },
  )
  .map(({ packetId, dup = false, ...rest }) => (rest.qos === 0 ? rest : { ...rest, packetId, dup }))

/** Feeds a stream in pieces; gives what `see` makes of each packet, while it is valid. */
function readAll<T>(stream: Buffer, sizes: readonly number[], see: (frame: Frame) => T): T[] {
  const framer = new Framer()
  const seen: T[] = []
  let piece = 0
  for (let at = 0; at < stream.length; ) {
    const end = at + (sizes[piece++ % Math.max(1, sizes.length)] ?? stream.length)
    // A copy, so that a range that points into a chunk of the past is found out.
    const chunk = Buffer.from(stream.subarray(at, end))
    framer.push(chunk)
    while (framer.next()) seen.push(see(framer))
    chunk.fill(0xee)
    at = end
  }
  return seen
}

function read(frame: Frame): OutgoingPublish {
  const publish = new Publish()
  publish.read(frame)
  return plain(publish)
}

function outcomeOf(attempt: () => unknown): unknown {
  try {
    attempt()
    return 'read'
  } catch (error) {
    return error instanceof ProtocolError ? 'refused' : error
  }
}

/** As mqtt-packet has it: user properties by name, in an object. */
function grouped(pairs: OutgoingPublish['userProperties'] = []): { [name: string]: string[] } {
  const groups: { [name: string]: string[] } = Object.create(null)
  for (const [name, value] of pairs) (groups[name] ??= []).push(value)
  return groups
}

function readByMqttPacket(encoded: Buffer): IPublishPacket {
  const packets: Packet[] = []
  const reader = parser({ protocolVersion: 5 })
  reader.on('packet', packet => packets.push(packet))
  reader.on('error', error => {
    throw error
  })
  reader.parse(encoded)
  const [packet] = packets
  if (packet?.cmd !== 'publish' || packets.length !== 1) throw new Error(`read as ${packets.length} packets`)
  return packet
}

describe('PUBLISH', () => {
  test('what we write we read, in any chunks: order, repetitions and empty values of user properties included', () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 400 })),
        (messages, sizes) => {
          const stream = Buffer.concat(messages.map(encodePublish))
          expect(readAll(stream, sizes, read)).toEqual(messages.map(stripped))
        },
      ),
    )
  })

  test('what we write, mqtt-packet reads', () => {
    // It reads a repeated name wrongly where the first value is empty.
    const known = message.filter(({ userProperties = [] }) => userProperties.every(([, value]) => value !== ''))
    fc.assert(
      fc.property(known, sent => {
        const { properties = {}, ...packet } = readByMqttPacket(encodePublish(sent))
        expect(packet).toMatchObject({ topic: sent.topic, qos: sent.qos, retain: sent.retain ?? false })
        expect(packet.payload).toEqual(sent.payload)
        expect(packet.messageId).toBe(sent.packetId)
        const { userProperties = {}, payloadFormatIndicator, ...rest } = properties
        const names = Object.keys(userProperties)
        expect(names.map(name => [userProperties[name]].flat())).toEqual(
          names.map(name => grouped(sent.userProperties)[name]),
        )
        expect(names).toEqual(Object.keys(grouped(sent.userProperties)))
        expect(payloadFormatIndicator).toBe(sent.payloadFormat === undefined ? undefined : sent.payloadFormat === 1)
        expect(rest.messageExpiryInterval).toBe(sent.messageExpiry)
        expect(rest.contentType).toBe(sent.contentType)
        expect(rest.responseTopic).toBe(sent.responseTopic)
        expect(rest.correlationData).toEqual(sent.correlationData)
      }),
    )
  })

  test('what mqtt-packet writes, we read', () => {
    const identifiers = fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 3 })
    fc.assert(
      fc.property(message, identifiers, (sent, subscriptionIdentifier) => {
        const encoded = generate(
          {
            cmd: 'publish',
            topic: sent.topic,
            payload: Buffer.from(sent.payload),
            qos: sent.qos,
            dup: sent.dup ?? false,
            retain: sent.retain ?? false,
            ...(sent.packetId !== undefined && { messageId: sent.packetId }),
            properties: {
              ...(sent.payloadFormat !== undefined && { payloadFormatIndicator: sent.payloadFormat === 1 }),
              ...(sent.messageExpiry !== undefined && { messageExpiryInterval: sent.messageExpiry }),
              ...(sent.contentType !== undefined && { contentType: sent.contentType }),
              ...(sent.responseTopic !== undefined && { responseTopic: sent.responseTopic }),
              ...(sent.correlationData !== undefined && { correlationData: Buffer.from(sent.correlationData) }),
              // It cannot write an empty object.
              ...(sent.userProperties?.length && { userProperties: grouped(sent.userProperties) }),
              ...(subscriptionIdentifier.length > 0 && { subscriptionIdentifier }),
            },
          },
          { protocolVersion: 5 },
        )
        const [got] = readAll(encoded, [], read)
        const { userProperties, ...rest } = stripped(sent)
        expect({ ...got, userProperties: grouped(got?.userProperties) }).toEqual({
          ...rest,
          userProperties: grouped(userProperties),
        })
      }),
    )
  })

  test('any bytes are packets or a ProtocolError', () => {
    const garbage = fc.oneof(
      bytes(200),
      fc.tuple(message, fc.nat(), fc.nat(255)).map(([sent, at, byte]) => {
        const encoded = encodePublish(sent)
        encoded[at % encoded.length] = byte
        return encoded
      }),
    )
    fc.assert(
      fc.property(garbage, fc.array(fc.integer({ min: 1, max: 50 })), (stream, sizes) => {
        expect(outcomeOf(() => readAll(stream, sizes, read))).toBeOneOf(['read', 'refused'])
      }),
      { numRuns: 2_000 },
    )
  })

  test('1,000 user properties keep their order', () => {
    const userProperties = Array.from({ length: 1_000 }, (_, n): [string, string] => [`n${n % 7}`, n % 3 ? `${n}` : ''])
    const [got] = readAll(encodePublish({ topic: 't', payload: Buffer.of(), qos: 0, userProperties }), [100], read)
    expect(got?.userProperties).toEqual(userProperties)
  })

  test('a topic of 65,535 bytes passes; a longer one cannot be written', () => {
    const topic = 'ü'.repeat(32_767) + 'x'
    const [got] = readAll(encodePublish({ topic, payload: Buffer.of(), qos: 0 }), [], read)
    expect(got?.topic).toBe(topic)
    expect(() => encodePublish({ topic: `${topic}x`, payload: Buffer.of(), qos: 0 })).toThrow(RangeError)
  })

  test('20 MB in chunks of 1 KB are copied a few times, not once a chunk', () => {
    const payload = Buffer.alloc(20_000_000, 'a payload')
    const stream = encodePublish({ topic: 't', payload, qos: 1, packetId: 1 })
    const begun = performance.now()
    const [same] = readAll(stream, [1024], frame => {
      const publish = new Publish()
      publish.read(frame)
      return payload.equals(publish.bytes.subarray(publish.payloadStart, publish.payloadEnd))
    })
    expect(same).toBe(true)
    // Once a chunk would be 200 GB.
    expect(performance.now() - begun).toBeLessThan(5_000)
  })
})

const t = [0, 1, 0x74]
const publish = (flags: number, ...rest: number[]) => Buffer.of(0x30 | flags, rest.length, ...rest)

describe('what no broker may send is a ProtocolError', () => {
  test.each([
    ['QoS 3', publish(6, ...t, 0, 1, 0), 0x81],
    ['a length of five bytes', Buffer.of(0x30, 0xff, 0xff, 0xff, 0xff, 1), 0x81],
    ['a property length of five bytes', publish(0, ...t, 0x80, 0x80, 0x80, 0x80, 1), 0x81],
    ['properties that run over the end', publish(0, ...t, 9, 1, 0), 0x81],
    ['a property that runs over the properties', publish(0, ...t, 3, 0x03, 0, 9, 1, 1, 1), 0x81],
    ['a user property without a value', publish(0, ...t, 4, 0x26, 0, 1, 0x61, 0, 0), 0x81],
    ['no properties at all', publish(0, ...t), 0x81],
    ['a topic that runs over the end', publish(0, 0, 9, 0x74), 0x81],
    ['an unknown property', publish(0, ...t, 2, 0x7f, 0), 0x81],
    ["a CONNECT's property", publish(0, ...t, 3, 0x21, 0, 1), 0x81],
    ['a topic alias', publish(0, ...t, 3, 0x23, 0, 1), 0x94],
    ['topic alias 0', publish(0, ...t, 3, 0x23, 0, 0), 0x94],
    ['an alias instead of a topic', publish(0, 0, 0, 3, 0x23, 0, 1), 0x94],
    ['no topic', publish(0, 0, 0, 0), 0x82],
    ['packet identifier 0', publish(2, ...t, 0, 0, 0), 0x82],
    ['content type twice', publish(0, ...t, 6, 0x03, 0, 0, 0x03, 0, 0), 0x82],
    ['payload format 2', publish(0, ...t, 2, 0x01, 2), 0x82],
    ['subscription identifier 0', publish(0, ...t, 2, 0x0b, 0), 0x82],
    ['a topic with +', publish(0, 0, 1, 0x2b, 0), 0x90],
    ['a topic with #', publish(0, 0, 2, 0x61, 0x23, 0), 0x90],
    ['a topic with NUL', publish(0, 0, 1, 0, 0), 0x81],
    ['a topic that is not UTF-8', publish(0, 0, 1, 0xff, 0), 0x81],
    ['a topic with a lone surrogate', publish(0, 0, 3, 0xed, 0xa0, 0x80, 0), 0x81],
  ])('%s', (_, packet, reasonCode) => {
    expect(() => readAll(packet, [], read)).toThrow(expect.objectContaining({ name: 'ProtocolError', reasonCode }))
  })
})
