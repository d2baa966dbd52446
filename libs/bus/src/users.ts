/** Who may do what on the bus: one user of NATS a service, each with the least that it needs (ARCHITECTURE.md). */
import type { ServiceName } from './documents.ts'

/** The users of NATS: the services that there are, and the command line. */
export type UserName = ServiceName | 'cli'
