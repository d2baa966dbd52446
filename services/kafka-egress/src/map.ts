/** Where a record goes, and what of it: the route's topic, key, partition and headers. Pure, but for the time of an expiry. */
import { IotOperationsHeaders } from '@millrace/kafka'
import type { Delivery, ExpressionInput, Problem } from '@millrace/lane'
import { compileTemplate, ExpressionError, isTemplate, isTopicName, type KafkaSink, type Route } from '@millrace/routes'

/** A record's place. Without a partition, the producer chooses it. */
interface Target {
  topic: string
  partition: number | undefined
}

/**
 * Decides about the record that the delivery stands on, and gives its view the key and headers that it goes out with
 * (the view is the reader's, which sets it anew with the next record). The target is one object, reused. A record that
 * has no place is a problem: it can never pass.
 */
export type Mapper = (record: Pick<Delivery, 'view' | 'input'>) => Target | { problem: Problem }

/** The parts of a route that decide. */
export type Mapped = { sink: Pick<KafkaSink, 'topic' | 'key' | 'partition'>; headers: Route['headers'] }

/** The route's mapping as a function. Throws Error where a template can't be compiled; documents were checked for that. */
export function mapperOf({ sink, headers }: Mapped): Mapper {
  const topicOf = textOf(sink.topic)
  const keyOf = sink.key === undefined ? undefined : textOf(sink.key)
  const partitionOf = isTemplate(sink.partition) ? textOf(sink.partition) : undefined
  const vendorHeaders = headers === 'iotOperations' ? new IotOperationsHeaders() : undefined
  const target: Target = { topic: '', partition: undefined }
  return ({ view, input }) => {
    try {
      const topic = topicOf(input)
      if (topic === null || !isTopicName(topic)) return { problem: noTopic }
      const key = keyOf?.(input)
      target.topic = topic
      target.partition = partitionOf && numberOf(partitionOf(input))
      if (key !== undefined) setKey(view, key)
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      return { problem: { code: 'expression', message: error.message } }
    }
    if (headers === 'none') view.headerCount = view.headersStart = view.headersEnd = 0
    // A Kafka record's headers are Kafka's already.
    if (input.partition === null) vendorHeaders?.write(view, Date.now())
    return target
  }
}

const noTopic = {
  code: 'no_topic',
  message: "The topic that the route's template made is no name for a Kafka topic: 1 to 249 of A-Z a-z 0-9 . _ -",
}

function textOf(template: string): (input: ExpressionInput) => string | null {
  return isTemplate(template) ? compileTemplate(template) : () => template
}

function setKey(view: Delivery['view'], key: string | null): void {
  const bytes = Buffer.from(key ?? '')
  view.keyIn = bytes
  view.keyStart = key === null ? -1 : 0
  view.keyEnd = key === null ? -1 : bytes.length
}

function numberOf(text: string | null): number {
  if (text !== null && /^\d{1,9}$/.test(text)) return Number(text)
  throw new ExpressionError('The partition that the route made is not a whole number of 0 or more.')
}
