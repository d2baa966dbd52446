/**
 * Who a lane's producer is: a producer id and an epoch, taken under the lane's transactional id (R9). No transaction is
 * ever begun; the id is what makes a broker refuse the batches of the owner before.
 *
 * What that fences, as seen on a broker: taking the id is known to the coordinator only. A partition learns of the new
 * epoch from the new owner's first batch there; until then it still takes a late batch of the old owner. So in every
 * partition all of the old owner's records come before all of the new owner's, which is what order needs: the late
 * batch is of a delivery that was not committed, so the new owner delivers its records as well. They are in that
 * partition twice, first arrivals in order.
 */
import { nameOfBrokerError, verdictOf } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import { Coordinator } from './coordinator.ts'
import { KafkaError, ProducerFencedError } from './errors.ts'
import { findCoordinator, initProducerId, type ProducerIdentity } from './requests/transactional-id.ts'

/**
 * Brokers forget a transactional id that was not used for a while (7 days unless set otherwise), and would then give
 * the next owner another producer id, which fences nothing. So it is taken again daily.
 */
const renewAfter = 24 * 3_600_000

/** A lane's place among the producers of a cluster. */
export class Identity {
  readonly #coordinator: Coordinator
  readonly #transactionalId: string
  #current: ProducerIdentity
  #takenAt = performance.now()

  private constructor(coordinator: Coordinator, transactionalId: string, current: ProducerIdentity) {
    this.#coordinator = coordinator
    this.#transactionalId = transactionalId
    this.#current = current
  }

  /** Takes the id from whoever held it. Throws KafkaError. */
  static async take(cluster: Cluster, transactionalId: string): Promise<Identity> {
    const coordinator = new Coordinator(cluster, findCoordinator(transactionalId))
    return new Identity(coordinator, transactionalId, await takeProducerId(coordinator, transactionalId, undefined))
  }

  get current(): ProducerIdentity {
    return this.#current
  }

  /** Whether it is time to take the id again. */
  get isOld(): boolean {
    return performance.now() - this.#takenAt > renewAfter
  }

  /** Takes the next epoch, if we are still who has the id: else throws ProducerFencedError. Throws KafkaError. */
  async renew(): Promise<void> {
    this.#current = await takeProducerId(this.#coordinator, this.#transactionalId, this.#current)
    this.#takenAt = performance.now()
  }
}

/**
 * Takes a producer id: as who has it already, or without `current` from whoever has it. What that one has open of a
 * transaction is aborted first. Throws KafkaError, and ProducerFencedError where somebody else has it now.
 */
export async function takeProducerId(
  coordinator: Coordinator,
  transactionalId: string,
  current: ProducerIdentity | undefined,
): Promise<ProducerIdentity> {
  const { error, ...identity } = await coordinator.ask(initProducerId(transactionalId, current))
  if (error === 0) return identity
  if (verdictOf(error) === 'fenced') {
    throw new ProducerFencedError(`Another owner has taken the producer id of ${transactionalId}.`)
  }
  const message = `The broker gives ${transactionalId} no producer id: ${nameOfBrokerError(error)}.`
  throw new KafkaError('broker_error', message, { kafkaCode: error })
}
