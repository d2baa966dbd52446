import {
  HeaderCursor,
  headerName,
  type HeaderName,
  HeaderWriter,
  mqttHeader,
  type RecordView,
  startsWith,
  userPrefix,
} from '@millrace/record'

/** The names that Azure IoT Operations' connectors give to what MQTT says beside the payload and user properties. */
const names: ReadonlyMap<HeaderName, HeaderName> = new Map([
  [mqttHeader.payloadFormat, headerName('Payload Format Indicator')],
  [mqttHeader.responseTopic, headerName('Response Topic')],
  [mqttHeader.correlationData, headerName('Correlation Data')],
  [mqttHeader.contentType, headerName('Content Type')],
])
const messageExpiry = headerName('Message Expiry Interval')
/** All of the table's names. */
export const vendorNames: readonly string[] = [...names.values(), messageExpiry].map(({ text }) => text)
/** How the names begin of what the table has no place for: topic, QoS and RETAIN keep ours. */
const mqttPrefix = Buffer.from('mqtt.')

/**
 * Turns the lossless headers of records that came from MQTT into those that Azure IoT Operations' connectors write:
 * their own five names, `Message Expiry Interval` as the seconds that are left (absent where none are), and user
 * properties as they were. Topic, QoS and RETAIN, which their table does not have, are beside them as `mqtt.topic`,
 * `mqtt.qos` and `mqtt.retain`; so that no publisher can write these, a user property that begins with `mqtt.` is the
 * one that keeps its `user.` in front.
 */
export class IotOperationsHeaders {
  readonly #from = new HeaderCursor()
  readonly #to = new HeaderWriter()

  /** Gives the view these headers, valid until the next call. @param now milliseconds since the epoch */
  write(view: RecordView, now: number): void {
    const [from, to] = [this.#from, this.#to]
    to.clear()
    from.open(view)
    while (from.next()) {
      const { bytes, valueStart, valueEnd } = from
      const name = this.#vendorName()
      if (name !== undefined) {
        to.constant(name.encoded)
        to.value(bytes, valueStart, valueEnd)
      } else if (from.isNamed(mqttHeader.expiresAt)) this.#expiry(now)
      else this.#asItWas()
    }
    to.into(view)
  }

  #vendorName(): HeaderName | undefined {
    for (const [ours, theirs] of names) if (this.#from.isNamed(ours)) return theirs
    return undefined
  }

  #expiry(now: number): void {
    const { bytes, valueStart, valueEnd } = this.#from
    const seconds = Math.ceil((Number(bytes.toString('latin1', valueStart, valueEnd)) - now) / 1000)
    if (!(seconds > 0)) return
    this.#to.constant(messageExpiry.encoded)
    this.#to.text(String(seconds))
  }

  /** A user property under the name that its publisher gave it; topic, QoS and RETAIN under ours. */
  #asItWas(): void {
    const { bytes, nameStart, nameEnd, valueStart, valueEnd } = this.#from
    const given = nameStart + userPrefix.length
    const wasRenamed = startsWith(bytes, nameStart, nameEnd, userPrefix)
    const isPlain = wasRenamed && !startsWith(bytes, given, nameEnd, mqttPrefix)
    this.#to.name(bytes, isPlain ? given : nameStart, nameEnd)
    this.#to.value(bytes, valueStart, valueEnd)
  }
}
