import type { Reader } from '../wire.ts'
import { findCoordinatorOf } from './find-coordinator.ts'
import { apis, type Request } from './request.ts'

/** A producer id and its epoch: who writes. A higher epoch of the same id shuts the lower ones out. */
export interface ProducerIdentity {
  producerId: bigint
  producerEpoch: number
}

/** A transaction that nobody ends is aborted by the broker after so many milliseconds, where nothing else is asked. */
const transactionTimeout = 60_000

/** Asks which broker keeps a transactional id. */
export function findCoordinator(transactionalId: string): Request<{ error: number; node: number }> {
  return findCoordinatorOf('transaction', transactionalId)
}

/**
 * Takes the producer id of a transactional id, with the next epoch. `current` is the identity held until now: the
 * broker then refuses (47, 90) if somebody else has taken it meanwhile. Without it, whoever held it is shut out. A
 * transaction that is open for longer than `timeout` milliseconds is aborted, and its owner shut out.
 */
export function initProducerId(
  transactionalId: string,
  current: ProducerIdentity | undefined,
  timeout = transactionTimeout,
): Request<ProducerIdentity & { error: number }> {
  return {
    api: apis.initProducerId,
    encode(to) {
      to.compactString(transactionalId).int32(timeout)
      to.int64(current?.producerId ?? -1n).int16(current?.producerEpoch ?? -1)
      to.noTags()
    },
    decode: decodeIdentity,
  }
}

/** Takes a producer id that is nobody's: it numbers what is written, and shuts nobody out. */
export const newProducerId: Request<ProducerIdentity & { error: number }> = {
  api: apis.newProducerId,
  encode(to, version) {
    to.string(null).int32(transactionTimeout)
    if (version >= 3) to.int64(-1n).int16(-1)
    to.end()
  },
  decode: decodeIdentity,
}

function decodeIdentity(from: Reader): ProducerIdentity & { error: number } {
  from.int32() // throttle
  return { error: from.int16(), producerId: from.int64(), producerEpoch: from.int16() }
}
