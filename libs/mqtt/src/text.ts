import { isUtf8 } from 'node:buffer'

/** The longest text, and the longest binary data, that MQTT can carry, in bytes. */
export const longestText = 65_535

/** The control characters beyond ASCII, and the non-characters. */
const unwanted = /[\u0080-\u009f\p{Noncharacter_Code_Point}]/u

/**
 * Whether a range is text that every broker takes: UTF-8 of at most 65,535 bytes without NUL (MQTT 5.0, 1.5.4), and
 * without control characters and non-characters, for which a broker may close the connection, as mosquitto does.
 */
export function isMqttText(bytes: Buffer, start: number, end: number): boolean {
  if (end - start > longestText) return false
  let all = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte < 0x20 || byte === 0x7f) return false
    all |= byte
  }
  if (all < 0x80) return true
  const range = bytes.subarray(start, end)
  return isUtf8(range) && !unwanted.test(range.toString())
}

const plus = 0x2b
const hash = 0x23

/** Whether text can be a topic to publish to (MQTT 5.0, 4.7.3) that every broker takes: see `isMqttText`. */
export function isTopicName(topic: string): boolean {
  let all = 0
  for (let at = 0; at < topic.length; at++) {
    const unit = topic.charCodeAt(at)
    if (unit < 0x20 || unit === 0x7f || unit === plus || unit === hash) return false
    all |= unit
  }
  if (all < 0x80) return topic.length > 0 && topic.length <= longestText
  return Buffer.byteLength(topic) <= longestText && topic.isWellFormed() && !unwanted.test(topic)
}
