/** The source of a route that reads a Kafka cluster: each partition is a lane, told by the route's lister. */
import type { z } from 'zod'
import { fields, list, name, oneOf, spoken, text } from './fields.ts'
import { checkGroup, checkStart } from './kafka-rules.ts'
import { kafkaStart, type KafkaStart } from './kafka-start.ts'
import { checkTopicOrPattern } from './kafka-topic.ts'
import { checkTwice } from './route-rules.ts'

/** What a Kafka source reads. */
export interface KafkaSource {
  protocol: 'kafka'
  /** The name of a connection that speaks `kafka`. */
  connection: string
  /** Names of topics, and `/regular expressions/`; `topicMatcher` says which topics these are. */
  topics: string[]
  /** Where a lane that has no position yet begins. */
  start: KafkaStart
  /** What to do where the log does not reach back to the lane's position: stop with an alarm, or skip to what is left. */
  onGap: 'stop' | 'earliest'
  /** Whether records of transactions that were aborted, or are open, are read. */
  isolation: 'readCommitted' | 'readUncommitted'
  /**
   * The group whose offsets follow the lanes, for tools that watch lag, and where `start: committed` begins; nobody ever
   * joins it. Absent: by the route's name.
   */
  group?: string | undefined
}

export const kafkaSource: z.ZodType<KafkaSource> = spoken(
  'kafka',
  fields({
    connection: name(),
    topics: list(text().check(checkTopicOrPattern)).check(checkTwice),
    start: kafkaStart.default('earliest'),
    onGap: oneOf('stop', 'earliest').default('stop'),
    isolation: oneOf('readCommitted', 'readUncommitted').default('readCommitted'),
    group: text().check(checkGroup).optional(),
  }).check(checkStart),
)
