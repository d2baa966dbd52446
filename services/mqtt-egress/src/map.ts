/** Where a record goes, and what of it: the route's topic, QoS, RETAIN and headers. Pure. */
import type { Delivery, ExpressionInput, Problem } from '@millrace/lane'
import { isTopicName, PublishMapper, type PropertyWriter, type QoS } from '@millrace/mqtt'
import { compileTemplate, ExpressionError, isTemplate, type MqttSink, type Route } from '@millrace/routes'

/** The parts of a route that decide. */
export type Mapped = { sink: Pick<MqttSink, 'topic' | 'qos' | 'retain'>; headers: Route['headers'] }

/** Maps one record after another; the fields say what the last one became. */
export class Mapper {
  topic = ''
  qos: QoS = 1
  retain = false
  expiresAt = 0
  readonly properties: PropertyWriter
  /** Whether any record was to be retained, and the highest QoS that one was to have. */
  asksRetain = false
  asksQos: QoS = 0
  readonly #topicOf: (input: ExpressionInput) => string | null
  readonly #qos: QoS | 'keep'
  readonly #retain: boolean | 'keep'
  readonly #mapper: PublishMapper
  #leftOut = 0

  /** Throws Error where the topic's template can't be compiled; documents were checked for that. */
  constructor({ sink: { topic, qos, retain }, headers }: Mapped) {
    this.#topicOf = isTemplate(topic) ? compileTemplate(topic) : () => topic
    this.#qos = qos
    this.#retain = retain ?? (headers === 'none' ? false : 'keep')
    this.#mapper = new PublishMapper(headers)
    this.properties = this.#mapper.properties
  }

  /** Maps the record that the delivery stands on; a record that has no place is a problem: it can never pass. */
  read({ view, input }: Pick<Delivery, 'view' | 'input'>): Problem | undefined {
    try {
      const topic = this.#topicOf(input)
      if (topic === null || !isTopicName(topic)) return noTopic
      this.topic = topic
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      return { code: 'expression', message: error.message }
    }
    const mapper = this.#mapper
    mapper.read(view, input)
    this.qos = this.#qos === 'keep' ? (mapper.qos ?? 1) : this.#qos
    this.retain = this.#retain === 'keep' ? mapper.retain : this.#retain
    this.expiresAt = mapper.expiresAt
    this.#leftOut += mapper.leftOut
    this.asksRetain ||= this.retain
    if (this.qos > this.asksQos) this.asksQos = this.qos
    return undefined
  }

  /** How many headers were left out since it was asked last, because MQTT can't carry them. */
  takeLeftOut(): number {
    const count = this.#leftOut
    this.#leftOut = 0
    return count
  }
}

const noTopic: Problem = {
  code: 'no_topic',
  message:
    "The topic that the route's template made is none to publish to: 1 to 65,535 bytes without + # and control characters",
}
