/** The properties of a PUBLISH as headers, for whoever looks at what goes out. Not for the data path. */
import { type Header, mqttHeader } from '@millrace/record'
import type { PropertyWriter } from './property-writer.ts'
import { property } from './publish.ts'

const nameOf: ReadonlyMap<number, string> = new Map([
  [property.contentType, mqttHeader.contentType.text],
  [property.responseTopic, mqttHeader.responseTopic.text],
  [property.correlationData, mqttHeader.correlationData.text],
])

/**
 * What was written, in its order: user properties by their own names, the others by those that they have as headers.
 * The expiry is left out: its interval is known only when the PUBLISH is sent.
 */
export function writtenHeaders({ bytes, length }: PropertyWriter): Header[] {
  const headers: Header[] = []
  let at = 0
  const take = (size: number): Buffer => Buffer.from(bytes.subarray(at, (at += size)))
  const takeText = (): Buffer => take(take(2).readUInt16BE())
  while (at < length) {
    const identifier = bytes.readUInt8(at++)
    if (identifier === property.messageExpiry) at += 4
    else if (identifier === property.payloadFormat)
      headers.push([mqttHeader.payloadFormat.text, Buffer.from(`${take(1)[0]}`)])
    else if (identifier === property.user) headers.push([takeText().toString(), takeText()])
    else headers.push([nameOf.get(identifier) ?? `property ${identifier}`, takeText()])
  }
  return headers
}
