import type { Reader, Writer } from '../wire.ts'

/** One of Kafka's APIs, and the versions of it that are written and read here. */
export interface Api {
  name: string
  key: number
  least: number
  most: number
  /** From this version on, headers end with tagged fields. */
  flexibleFrom?: number
}

/**
 * The APIs that are ours. Kafka 2.5 and later have all of these versions; 4.x still has them. Event Hubs speaks older
 * ones: what is needed there goes down to those.
 */
export const apis = {
  produce: { name: 'Produce', key: 0, least: 7, most: 8 },
  fetch: { name: 'Fetch', key: 1, least: 4, most: 13, flexibleFrom: 12 },
  listOffsets: { name: 'ListOffsets', key: 2, least: 4, most: 5 },
  metadata: { name: 'Metadata', key: 3, least: 5, most: 10, flexibleFrom: 9 },
  offsetCommit: { name: 'OffsetCommit', key: 8, least: 6, most: 7 },
  groupOffset: { name: 'OffsetFetch', key: 9, least: 1, most: 7, flexibleFrom: 6 },
  offsetFetch: { name: 'OffsetFetch', key: 9, least: 7, most: 7, flexibleFrom: 6 },
  findCoordinator: { name: 'FindCoordinator', key: 10, least: 1, most: 2 },
  apiVersions: { name: 'ApiVersions', key: 18, least: 0, most: 0 },
  offsetForLeaderEpoch: { name: 'OffsetForLeaderEpoch', key: 23, least: 3, most: 3 },
  newProducerId: { name: 'InitProducerId', key: 22, least: 0, most: 4, flexibleFrom: 2 },
  initProducerId: { name: 'InitProducerId', key: 22, least: 3, most: 4, flexibleFrom: 2 },
  addPartitionsToTxn: { name: 'AddPartitionsToTxn', key: 24, least: 0, most: 1 },
  addOffsetsToTxn: { name: 'AddOffsetsToTxn', key: 25, least: 0, most: 1 },
  endTxn: { name: 'EndTxn', key: 26, least: 0, most: 1 },
  txnOffsetCommit: { name: 'TxnOffsetCommit', key: 28, least: 2, most: 2 },
} as const satisfies { [name: string]: Api }

/** A request and how its answer is read. */
export interface Request<Answer> {
  api: Api
  encode(to: Writer, version: number): void
  decode(from: Reader, version: number): Answer
}
