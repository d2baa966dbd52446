/**
 * Who a lane's producer is: a producer id and an epoch, taken under the lane's transactional id (R9). No transaction is
 * ever begun; the id is what makes a broker refuse the batches of the owner before.
 *
 * What that fences, as seen on a broker: taking the id is known to the coordinator only. A partition learns of the new
 * epoch from the new owner's first batch there; until then it still takes a late batch of the old owner. So in every
 * partition all of the old owner's records come before all of the new owner's, which is what order needs: the late
 * batch is of a delivery that was not committed, so the new owner delivers its records as well. They are in that
 * partition twice, first arrivals in order.
 *
 * Some brokers have no transactional ids (Event Hubs, but for its premium tiers). There the producer id is nobody's: it
 * numbers the batches, and nothing but the lease keeps two owners apart (R11).
 */
import { nameOfBrokerError, verdictOf } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import { Coordinator } from './coordinator.ts'
import { KafkaError, ProducerFencedError } from './errors.ts'
import { apis } from './requests/request.ts'
import { findCoordinator, initProducerId, newProducerId, type ProducerIdentity } from './requests/transactional-id.ts'
import { isUnable } from './unable.ts'

/**
 * Brokers forget a transactional id that was not used for a while (7 days unless set otherwise), and would then give
 * the next owner another producer id, which fences nothing. So it is taken again daily.
 */
const renewAfter = 24 * 3_600_000

/** Takes a producer id: the first one, or as who has `current` the next epoch. */
type Take = (current: ProducerIdentity | undefined) => Promise<ProducerIdentity>

/** A lane's place among the producers of a cluster. */
export class Identity {
  /** Whether taking it shut out whoever held it before. */
  readonly fences: boolean
  readonly #take: Take
  #current: ProducerIdentity
  #takenAt = performance.now()

  private constructor(take: Take, current: ProducerIdentity, fences: boolean) {
    this.#take = take
    this.#current = current
    this.fences = fences
  }

  /** Takes the id from whoever held it; undefined where the cluster has no producer ids. Throws KafkaError. */
  static async take(cluster: Cluster, transactionalId: string): Promise<Identity | undefined> {
    return (await Identity.#fenced(cluster, transactionalId)) ?? (await Identity.#numbered(cluster))
  }

  static async #fenced(cluster: Cluster, transactionalId: string): Promise<Identity | undefined> {
    const coordinator = new Coordinator(cluster, findCoordinator(transactionalId))
    const take: Take = current => takeProducerId(coordinator, transactionalId, current)
    return await unlessUnable(async () => {
      // Asked before anything is sent: Event Hubs closes the connection when it is asked for a coordinator of these.
      cluster.require([apis.initProducerId])
      return new Identity(take, await take(undefined), true)
    })
  }

  static async #numbered(cluster: Cluster): Promise<Identity | undefined> {
    const take: Take = async () => identityOf(await cluster.ask(newProducerId), 'this lane')
    return await unlessUnable(async () => new Identity(take, await take(undefined), false))
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
    this.#current = await this.#take(this.#current)
    this.#takenAt = performance.now()
  }
}

async function unlessUnable<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (error) {
    if (isUnable(error)) return undefined
    throw error
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
  timeout?: number,
): Promise<ProducerIdentity> {
  return identityOf(await coordinator.ask(initProducerId(transactionalId, current, timeout)), transactionalId)
}

function identityOf({ error, ...identity }: ProducerIdentity & { error: number }, whose: string): ProducerIdentity {
  if (error === 0) return identity
  if (verdictOf(error) === 'fenced') {
    throw new ProducerFencedError(`Another owner has taken the producer id of ${whose}.`)
  }
  const message = `The broker gives ${whose} no producer id: ${nameOfBrokerError(error)}.`
  throw new KafkaError('broker_error', message, { kafkaCode: error })
}
