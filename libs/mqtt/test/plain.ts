import type { OutgoingPublish, Publish } from '../src/index.ts'

/** What the reader made of a packet, as plain values. */
export function plain(publish: Publish): OutgoingPublish {
  const range = (start: number, end: number) => Buffer.from(publish.bytes.subarray(start, end))
  const string = (start: number, end: number) => range(start, end).toString()
  const userProperties: [string, string][] = []
  publish.rewindUserProperties()
  while (publish.nextUserProperty()) {
    const { nameStart, nameEnd, valueStart, valueEnd } = publish
    userProperties.push([string(nameStart, nameEnd), string(valueStart, valueEnd)])
  }
  const { qos, packetId, dup, retain, payloadFormat, messageExpiry } = publish
  const { contentTypeStart, responseTopicStart, correlationDataStart } = publish
  return stripped({
    topic: string(publish.topicStart, publish.topicEnd),
    payload: range(publish.payloadStart, publish.payloadEnd),
    qos,
    dup,
    retain,
    userProperties,
    ...(packetId > 0 && { packetId }),
    ...(payloadFormat >= 0 && { payloadFormat: payloadFormat === 1 ? 1 : 0 }),
    ...(messageExpiry >= 0 && { messageExpiry }),
    ...(contentTypeStart >= 0 && { contentType: string(contentTypeStart, publish.contentTypeEnd) }),
    ...(responseTopicStart >= 0 && { responseTopic: string(responseTopicStart, publish.responseTopicEnd) }),
    ...(correlationDataStart >= 0 && { correlationData: range(correlationDataStart, publish.correlationDataEnd) }),
  })
}

/** The same without what says nothing. */
export function stripped({
  userProperties = [],
  dup = false,
  retain = false,
  ...rest
}: OutgoingPublish): OutgoingPublish {
  return {
    ...rest,
    ...(dup && { dup }),
    ...(retain && { retain }),
    ...(userProperties.length > 0 && { userProperties }),
  }
}
