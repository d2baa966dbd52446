import { codeOf } from './broker-errors.ts'
import { KafkaError } from './errors.ts'

/** How brokers say that they do not have a thing. */
const answers = new Set(['UNSUPPORTED_VERSION', 'INVALID_REQUEST', 'UNSUPPORTED_FOR_MESSAGE_FORMAT'].map(codeOf))

/** Whether an error says that the brokers can't do what was asked, whoever asks: not now, not later. */
export function isUnable(error: unknown): error is KafkaError {
  if (!(error instanceof KafkaError)) return false
  return error.code === 'unsupported_version' || answers.has(error.kafkaCode ?? 0)
}
