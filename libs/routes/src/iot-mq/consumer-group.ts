/** The consumer group of a topic map's route. */
import type { KafkaToMqtt } from './topic-map.ts'

/** The route's name, behind the prefix where there is one. How the two were joined, the vendor's documents do not say. */
export const consumerGroup = ({ consumerGroupId, name }: KafkaToMqtt): string =>
  consumerGroupId === undefined ? name : `${consumerGroupId}-${name}`
