import type { Outcome, Problem } from '@millrace/lane'
import { nameOfBrokerError } from './broker-errors.ts'
import { KafkaError } from './errors.ts'

/** What a connection's error is to a lane: a request without an answer is `unknown`, everything else holds it (R7). */
export function outcomeOf(error: KafkaError): Extract<Outcome, { is: 'hold' | 'unknown' }> {
  return { is: error.code === 'unknown_outcome' ? 'unknown' : 'hold', problem: problemOf(error) }
}

/** What a user is told of an error: in Kafka's own word where a broker answered with one. */
export function problemOf({ code, kafkaCode, message }: KafkaError): Problem {
  return { code: kafkaCode === undefined ? code : codeOf(kafkaCode), message }
}

function codeOf(kafkaCode: number): string {
  const name = nameOfBrokerError(kafkaCode)
  return name === 'UNKNOWN_TOPIC_OR_PARTITION' ? 'topic_missing' : name.toLowerCase()
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
  const word = codeOf(code)
  return {
    code: word,
    message:
      word === 'topic_missing'
        ? `Topic ${topic} does not exist: create it, or let the route do so with createTopic.`
        : `Topic ${topic} can't be used: ${nameOfBrokerError(code)}.`,
  }
}
