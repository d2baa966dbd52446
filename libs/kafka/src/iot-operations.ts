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
/** All of those names. */
export const vendorNames: readonly string[] = [...names.values(), messageExpiry].map(({ text }) => text)
/** The table has no place for them. */
const leftOut = [mqttHeader.topic, mqttHeader.qos, mqttHeader.retain]

/**
 * Turns the lossless headers of records that came from MQTT into those that Azure IoT Operations' connectors write:
 * their own five names, `Message Expiry Interval` as the seconds that are left (absent where none are), and user
 * properties as they were. Topic, QoS and RETAIN have no header there.
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
      else if (!leftOut.some(name => from.isNamed(name))) this.#userProperty()
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

  /** Under the name that its publisher gave it. */
  #userProperty(): void {
    const { bytes, nameStart, nameEnd, valueStart, valueEnd } = this.#from
    const wasRenamed = startsWith(bytes, nameStart, nameEnd, userPrefix)
    this.#to.name(bytes, wasRenamed ? nameStart + userPrefix.length : nameStart, nameEnd)
    this.#to.value(bytes, valueStart, valueEnd)
  }
}
