import type { ConnectionOptions } from 'node:tls'
import type { Mechanism, SASLOptions } from 'kafkajs'

/** What one connection is let in with. */
export interface Access {
  /** Null: in clear. */
  tls: ConnectionOptions | null
  sasl: SASLOptions | Mechanism | null
}
