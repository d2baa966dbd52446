/**
 * A lane's transactions, one after another: what was written and the lane's position count together, or not at all.
 * The position is an offset of a group of the lane's own, which has no members, on a topic that is there.
 *
 *   recover --> ended --include--> open --include, commit--> ended
 *     ^                             |
 *     \------ anything else --------/
 *
 * 1. After anything but a confirmed end: `recover`, and all of it is written again unless the position says that it
 *    counts. It takes the producer id from whoever has it, ourselves included: the broker aborts what is open, under an
 *    epoch that no request which is still on its way has, and then tells the position, which nothing can change now.
 * 2. So a late EndTxn, or a late batch, never meets a later transaction; and an old owner's never count (R9).
 */
import type { Outcome, Problem } from '@millrace/lane'
import { nameOfBrokerError, verdictOf } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import { Coordinator } from './coordinator.ts'
import { KafkaError, ProducerFencedError } from './errors.ts'
import { takeProducerId } from './identity.ts'
import { outcomeOf } from './problem.ts'
import type { PartitionName } from './requests/fetch.ts'
import { findGroup } from './requests/group-offset.ts'
import { apis } from './requests/request.ts'
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  endTxn,
  fetchOffset,
  type GroupOffset,
  type TransactionOwner,
  txnOffsetCommit,
} from './requests/transaction.ts'
import { findCoordinator, type ProducerIdentity } from './requests/transactional-id.ts'
import { isUnable } from './unable.ts'

/** Where a lane's transactions are kept. */
export interface TransactionOptions {
  cluster: Cluster
  /** The lane's transactional id, and the name of the group whose offset its position is. */
  id: string
  /** A topic that exists, for brokers take no offsets for others; its first partition is named. */
  positionTopic: string
  /** After so many milliseconds the brokers abort one that nobody ends; a minute unless said. */
  timeout?: number
}

/** How `recover` ended. `position`: the one that was committed last; undefined where there is none. */
export type Recovered = { is: 'done'; position: GroupOffset | undefined } | Extract<Outcome, { is: 'hold' | 'unknown' }>

const needed = [apis.addPartitionsToTxn, apis.addOffsetsToTxn, apis.txnOffsetCommit, apis.endTxn, apis.offsetFetch]

/** One lane's transactions. `recover` comes first. */
export class Transaction {
  readonly id: string
  readonly #cluster: Cluster
  readonly #keeper: Coordinator
  readonly #groupKeeper: Coordinator
  readonly #position: PartitionName & { group: string }
  readonly #timeout: number | undefined
  readonly #included = new Set<string>()
  #current: ProducerIdentity = { producerId: -1n, producerEpoch: -1 }

  constructor({ cluster, id, positionTopic, timeout }: TransactionOptions) {
    this.id = id
    this.#cluster = cluster
    this.#keeper = new Coordinator(cluster, findCoordinator(id))
    this.#groupKeeper = new Coordinator(cluster, findGroup(id))
    this.#timeout = timeout
    this.#position = { group: id, topic: positionTopic, partition: 0 }
  }

  /** The topic under which the position is committed. */
  get positionTopic(): string {
    return this.#position.topic
  }

  /** Whose sequence numbers the batches of the transaction carry. */
  get current(): ProducerIdentity {
    return this.#current
  }

  /**
   * Aborts what is open, shuts out whoever wrote it, and reads the position. Holds with `no_transactions` where the
   * brokers have none. Throws ProducerFencedError where another one does the same just now.
   */
  recover(): Promise<Recovered> {
    return withOutcome(async () => {
      this.#included.clear()
      this.#current = await this.#take()
      return await this.#read(this.positionTopic)
    })
  }

  /** The position that was committed last under another topic, which may be gone: then there is none. */
  positionUnder(topic: string): Promise<Recovered> {
    return withOutcome(() => this.#read(topic))
  }

  /** Takes partitions into the transaction, which begins with the first. Throws KafkaError, ProducerFencedError. */
  async include(partitions: readonly PartitionName[]): Promise<void> {
    const added = partitions.filter(partition => !this.#included.has(nameOf(partition)))
    if (added.length === 0) return
    // Before the answer: one that is lost leaves it open.
    for (const partition of added) this.#included.add(nameOf(partition))
    const { error, topic } = await this.#keeper.ask(addPartitionsToTxn(this.#owner, added))
    this.#must(error, `Topic ${topic} can’t be written to in a transaction`)
  }

  /**
   * Ends the transaction: what was written and this position count. `hold`: nothing of it does. `unknown`: `recover`
   * tells. Throws ProducerFencedError.
   */
  async commit(position: GroupOffset): Promise<Outcome> {
    const outcome = await withOutcome<Outcome>(async () => {
      const { group, topic } = this.#position
      this.#included.add(group)
      const added = await this.#keeper.ask(addOffsetsToTxn(this.#owner, group))
      this.#must(added.error, `Group ${group} can’t be part of a transaction`)
      const written = await this.#groupKeeper.ask(txnOffsetCommit(this.#owner, this.#position, position))
      this.#must(written.error, `The position can’t be committed under topic ${topic}`)
      const { error } = await this.#keeper.ask(endTxn(this.#owner, { commit: true }))
      return error === 0 ? { is: 'done' } : this.#notEnded(error)
    })
    if (outcome.is === 'done') this.#included.clear()
    if (outcome.is === 'hold') await this.abort()
    return outcome
  }

  /** Lets those who read the partitions go on, where the transaction can't for now. `recover` follows in any case. */
  async abort(): Promise<void> {
    if (this.#included.size === 0) return
    try {
      await this.#keeper.ask(endTxn(this.#owner, { commit: false }))
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
    }
  }

  async #read(topic: string): Promise<Recovered> {
    const { error, found } = await this.#groupKeeper.ask(fetchOffset({ ...this.#position, topic }))
    this.#must(error, `The position under topic ${topic} can’t be read`)
    return { is: 'done', position: found }
  }

  get #owner(): TransactionOwner {
    return { ...this.#current, transactionalId: this.id }
  }

  async #take(): Promise<ProducerIdentity> {
    try {
      // Before anything is sent: Event Hubs closes the connection when it is asked for the coordinator of these.
      this.#cluster.require([apis.initProducerId])
      const taken = await takeProducerId(this.#keeper, this.id, undefined, this.#timeout)
      this.#cluster.require(needed)
      return taken
    } catch (error) {
      if (!isUnable(error)) throw error
      const message = `This cluster has no transactions, which delivery: exactlyOnce needs (${error.message})`
      throw new KafkaError('no_transactions', message, { cause: error })
    }
  }

  #notEnded(error: number): Outcome {
    this.#mustNotBeFenced(error)
    const problem: Problem = {
      code: nameOfBrokerError(error).toLowerCase(),
      message: `The end of the transaction is not known: ${nameOfBrokerError(error)}.`,
    }
    return { is: 'unknown', problem }
  }

  #must(error: number, what: string): void {
    if (error === 0) return
    this.#mustNotBeFenced(error)
    throw new KafkaError('broker_error', `${what}: ${nameOfBrokerError(error)}.`, { kafkaCode: error })
  }

  #mustNotBeFenced(error: number): void {
    if (verdictOf(error) !== 'fenced') return
    const message = `The transaction of ${this.id} is over: another owner has begun one, or it was open for too long.`
    throw new ProducerFencedError(message)
  }
}

async function withOutcome<T>(act: () => Promise<T>): Promise<T | Extract<Outcome, { is: 'hold' | 'unknown' }>> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof KafkaError) return outcomeOf(error)
    throw error
  }
}

function nameOf({ topic, partition }: PartitionName): string {
  return `${topic}/${partition}`
}
