/**
 * What stands between us and a Kafka cluster.
 * - `broker_unreachable`: no connection, or one that broke before anything was sent on it.
 * - `tls`: the certificate of one side is not accepted by the other.
 * - `authentication`: the broker refuses the user or the password, or the token.
 * - `secret_missing`: a secret that the connection names can't be read.
 * - `no_token`: who issues the token to log in with can't be reached, or refuses.
 * - `unsupported_version`: the broker does not speak the versions that are needed.
 * - `no_transactions`: the cluster has no transactions, and they are asked for.
 * - `unknown_outcome`: a request was sent and no answer came: time-out, or the connection was lost.
 * - `broker_error`: the broker answered with an error; `kafkaCode` is its number.
 * - `configuration`: what the user wrote can't be used.
 * - `closed`: we have closed it ourselves.
 */
export type KafkaErrorCode =
  | 'broker_unreachable'
  | 'tls'
  | 'authentication'
  | 'secret_missing'
  | 'no_token'
  | 'unsupported_version'
  | 'no_transactions'
  | 'unknown_outcome'
  | 'broker_error'
  | 'configuration'
  | 'closed'

interface Details {
  cause?: unknown
  /** The number of Kafka's own error, where the broker gave one. */
  kafkaCode?: number
}

/** An error of a connection or a request. Its message says what to do and never holds a secret. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly code: KafkaErrorCode
  readonly kafkaCode: number | undefined

  constructor(code: KafkaErrorCode, message: string, { cause, kafkaCode }: Details = {}) {
    super(message, { cause })
    this.code = code
    this.kafkaCode = kafkaCode
  }
}

/** Another owner has opened this lane's producer: this one must stop, and nothing of it is accepted any more (R9). */
export class ProducerFencedError extends Error {
  override readonly name = 'ProducerFencedError'
  readonly code = 'producer_fenced'
}
