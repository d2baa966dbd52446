import {
  encodeHeader,
  type HeaderWriter,
  mqttHeader,
  type RecordView,
  reservedPrefixes,
  startsWith,
  userPrefix,
} from '@millrace/record'
import type { Publish } from './publish.ts'

const topic = mqttHeader.topic.encoded
const contentType = mqttHeader.contentType.encoded
const responseTopic = mqttHeader.responseTopic.encoded
const correlationData = mqttHeader.correlationData.encoded
const expiresAt = mqttHeader.expiresAt.encoded
const qos = ['0', '1', '2'].map(value => encodeHeader(mqttHeader.qos, value))
const payloadFormat = ['0', '1'].map(value => encodeHeader(mqttHeader.payloadFormat, value))
const retain = encodeHeader(mqttHeader.retain, 'true')

/**
 * Maps a PUBLISH to a record with the lossless headers of ARCHITECTURE.md 8: no key, the payload as its value (an empty one
 * stays empty), the time of receipt as its timestamp. The view stands on the packet's bytes and on the writer's, and is
 * valid until either moves on.
 *
 * @param receivedAt milliseconds since the epoch
 */
export function toRecord(publish: Publish, receivedAt: number, headers: HeaderWriter, into: RecordView): void {
  into.timestamp = receivedAt
  into.keyStart = -1
  into.keyEnd = -1
  into.valueIn = publish.bytes
  into.valueStart = publish.payloadStart
  into.valueEnd = publish.payloadEnd
  headers.clear()
  headers.constant(topic)
  headers.value(publish.bytes, publish.topicStart, publish.topicEnd)
  headers.header(qos[publish.qos]!)
  if (publish.retain) headers.header(retain)
  writeProperties(publish, receivedAt, headers)
  headers.into(into)
}

function writeProperties(publish: Publish, receivedAt: number, headers: HeaderWriter): void {
  const { bytes } = publish
  if (publish.payloadFormat >= 0) headers.header(payloadFormat[publish.payloadFormat]!)
  if (publish.contentTypeStart >= 0) {
    headers.constant(contentType)
    headers.value(bytes, publish.contentTypeStart, publish.contentTypeEnd)
  }
  if (publish.responseTopicStart >= 0) {
    headers.constant(responseTopic)
    headers.value(bytes, publish.responseTopicStart, publish.responseTopicEnd)
  }
  if (publish.correlationDataStart >= 0) {
    headers.constant(correlationData)
    headers.value(bytes, publish.correlationDataStart, publish.correlationDataEnd)
  }
  if (publish.messageExpiry >= 0) {
    headers.constant(expiresAt)
    headers.text(String(receivedAt + publish.messageExpiry * 1000))
  }
  publish.rewindUserProperties()
  while (publish.nextUserProperty()) {
    headers.name(bytes, publish.nameStart, publish.nameEnd, isReserved(publish) ? userPrefix : undefined)
    headers.value(bytes, publish.valueStart, publish.valueEnd)
  }
}

function isReserved({ bytes, nameStart, nameEnd }: Publish): boolean {
  return reservedPrefixes.some(prefix => startsWith(bytes, nameStart, nameEnd, prefix))
}
