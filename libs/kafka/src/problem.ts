import type { Outcome, Problem } from '@millrace/lane'
import { nameOfBrokerError } from './broker-errors.ts'
import { KafkaError } from './errors.ts'

/** What a connection's error is to a lane: a request without an answer is `unknown`, everything else holds it (R7). */
export function outcomeOf(error: KafkaError): Extract<Outcome, { is: 'hold' | 'unknown' }> {
  const problem = { code: error.code, message: error.message }
  return { is: error.code === 'unknown_outcome' ? 'unknown' : 'hold', problem }
}

/** A broker's error about one partition, as a user is told of it. */
export function partitionProblem(code: number, topic: string, partition: number, words: string | null): Problem {
  const name = nameOfBrokerError(code)
  return {
    code: name.toLowerCase(),
    message: `${topic}, partition ${partition}: the broker answers ${name}${words === null ? '' : ` (${words})`}.`,
  }
}

/** A topic that the cluster does not have. */
export function topicProblem(code: number, topic: string): Problem {
  const name = nameOfBrokerError(code)
  const isMissing = name === 'UNKNOWN_TOPIC_OR_PARTITION'
  return {
    code: isMissing ? 'topic_missing' : name.toLowerCase(),
    message: isMissing
      ? `Topic ${topic} does not exist: create it, or let the route do so with createTopic.`
      : `Topic ${topic} can't be used: ${name}.`,
  }
}
