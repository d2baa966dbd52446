/** A record as a PUBLISH: its QoS, RETAIN, expiry and properties. Where it goes is the route's to say. */
import type { ExpressionInput } from '@millrace/lane'
import { HeaderCursor, type HeaderName, mqttHeader, type RecordView, startsWith, userPrefix } from '@millrace/record'
import { PropertyWriter } from './property-writer.ts'
import { property, type QoS } from './publish.ts'

/** Which headers become properties; see `PublishMapper`. */
export type HeaderMapping = 'lossless' | 'iotOperations' | 'none'

/** What of a record's place only its lane knows. */
export type RecordPlace = Pick<ExpressionInput, 'topic' | 'partition' | 'offset'>

const mqttPrefix = Buffer.from('mqtt.')
const ours: readonly HeaderName[] = Object.values(mqttHeader)
/** What our `iotOperations` headers in Kafka have beside the vendor's table. */
const besideTable: ReadonlySet<HeaderName> = new Set([mqttHeader.topic, mqttHeader.qos, mqttHeader.retain])
const qosOf: ReadonlyMap<string, QoS> = new Map([
  ['0', 0],
  ['1', 1],
  ['2', 2],
])
const one = 0x31
const kafkaNames = {
  topic: Buffer.from('kafka.topic'),
  partition: Buffer.from('kafka.partition'),
  offset: Buffer.from('kafka.offset'),
  key: Buffer.from('kafka.key'),
  timestamp: Buffer.from('kafka.timestamp'),
}
/** The names that Azure IoT MQ gives to the key and the timestamp of a Kafka record. */
const vendorNames = { key: Buffer.from('Key'), timestamp: Buffer.from('Timestamp') }

/**
 * Maps one record after another; what it says is valid until the next `read`.
 *
 * - `lossless`: the headers of ARCHITECTURE.md 8 become what they were made of, all others user properties, in order
 *   and with repetitions. A Kafka record that never was a PUBLISH says where it stood: `kafka.topic`,
 *   `kafka.partition`, `kafka.offset`, `kafka.key` and `kafka.timestamp`.
 * - `iotOperations`: of a Kafka record all headers become user properties as they are, the key `Key`, and the time
 *   `Timestamp`, as Azure IoT MQ has it; but `mqtt.topic`, `mqtt.qos` and `mqtt.retain`, which are about the PUBLISH that
 *   the record once was, become nothing. What comes from MQTT is mapped as `lossless`.
 * - `none`: no properties, and no expiry.
 *
 * A header that MQTT can't carry (not UTF-8, a control character, more than 65,535 bytes) is left out; `leftOut`
 * counts them.
 */
export class PublishMapper {
  /** `mqtt.qos`, where it is there. */
  qos: QoS | undefined
  /** `mqtt.retain` */
  retain = false
  /** Milliseconds since the epoch; 0: never. */
  expiresAt = 0
  readonly properties = new PropertyWriter()
  readonly #mapping: HeaderMapping
  readonly #headers = new HeaderCursor()
  #topic = ''
  #topicBytes: Buffer = Buffer.alloc(0)

  constructor(mapping: HeaderMapping) {
    this.#mapping = mapping
  }

  get leftOut(): number {
    return this.properties.leftOut
  }

  /** Maps the record that the view stands on. */
  read(view: RecordView, place: RecordPlace): void {
    this.qos = undefined
    this.retain = false
    this.expiresAt = 0
    this.properties.clear()
    const isVendors = this.#mapping === 'iotOperations' && place.partition !== null
    const headers = this.#headers
    let wasPublish = false
    headers.open(view)
    while (headers.next()) {
      const ours = this.#ours()
      wasPublish ||= ours === mqttHeader.topic
      if (isVendors) this.#vendorProperty(ours)
      else if (ours !== undefined) this.#restore(ours)
      else if (this.#mapping !== 'none') this.#userProperty(false)
    }
    if (this.#mapping === 'none') this.#forget()
    else if (isVendors) this.#add(vendorNames.key, view.keyIn, view.keyStart, view.keyEnd)
    else if (!wasPublish && place.partition !== null) this.#addPlace(view, place)
    if (isVendors && view.timestamp >= 0) this.#addNumber(vendorNames.timestamp, String(view.timestamp))
  }

  /** What the route does not want of the headers. */
  #forget(): void {
    this.properties.clear()
    this.expiresAt = 0
  }

  /** Which of our headers it stands on. */
  #ours(): HeaderName | undefined {
    const { bytes, nameStart, nameEnd } = this.#headers
    if (!startsWith(bytes, nameStart, nameEnd, mqttPrefix)) return undefined
    return ours.find(name => this.#headers.isNamed(name))
  }

  /** Turns one of our headers into what it was made of. */
  #restore(name: HeaderName): void {
    const { bytes, valueStart: start, valueEnd: end } = this.#headers
    const { properties } = this
    switch (name) {
      case mqttHeader.qos:
        this.qos ??= qosOf.get(bytes.toString('latin1', start, end))
        break
      case mqttHeader.retain:
        this.retain = true
        break
      case mqttHeader.payloadFormat:
        properties.payloadFormat(bytes[start] === one ? 1 : 0)
        break
      case mqttHeader.contentType:
        properties.text(property.contentType, bytes, start, end)
        break
      case mqttHeader.responseTopic:
        properties.text(property.responseTopic, bytes, start, end)
        break
      case mqttHeader.correlationData:
        properties.data(property.correlationData, bytes, start, end)
        break
      case mqttHeader.expiresAt:
        this.expiresAt ||= Number(bytes.toString('latin1', start, end)) || 0
        if (this.expiresAt > 0) properties.expiry()
        break
    }
  }

  /** A header of a Kafka record by the vendor's table. */
  #vendorProperty(ours: HeaderName | undefined): void {
    if (ours === undefined || !besideTable.has(ours)) this.#userProperty(true)
  }

  /** A header that is not ours; one that we had renamed gets its name back. */
  #userProperty(asItIs: boolean): void {
    const { bytes, nameStart, nameEnd, valueStart, valueEnd } = this.#headers
    const wasRenamed = !asItIs && startsWith(bytes, nameStart, nameEnd, userPrefix)
    this.properties.name(bytes, wasRenamed ? nameStart + userPrefix.length : nameStart, nameEnd)
    this.properties.value(bytes, valueStart, valueEnd)
  }

  /** Where a Kafka record stood. */
  #addPlace(view: RecordView, { topic, partition, offset }: RecordPlace): void {
    if (topic !== null) this.#addTopic(topic)
    if (partition !== null) this.#addNumber(kafkaNames.partition, String(partition))
    if (offset !== null) this.#addNumber(kafkaNames.offset, offset)
    this.#add(kafkaNames.key, view.keyIn, view.keyStart, view.keyEnd)
    if (view.timestamp >= 0) this.#addNumber(kafkaNames.timestamp, String(view.timestamp))
  }

  /** The same for a whole lane. */
  #addTopic(topic: string): void {
    if (topic !== this.#topic) [this.#topic, this.#topicBytes] = [topic, Buffer.from(topic)]
    this.#add(kafkaNames.topic, this.#topicBytes, 0, this.#topicBytes.length)
  }

  #addNumber(name: Buffer, digits: string): void {
    this.properties.name(name, 0, name.length)
    this.properties.digits(digits)
  }

  /** One more user property; none where the value is null. */
  #add(name: Buffer, from: Buffer, start: number, end: number): void {
    if (start < 0) return
    this.properties.name(name, 0, name.length)
    this.properties.value(from, start, end)
  }
}
