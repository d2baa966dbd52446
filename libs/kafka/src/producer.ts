/**
 * A lane's producer: takes one delivery at a time, puts its records into batches by topic and partition, and sends
 * them until every one is in the log or refused.
 *
 *   add, add, ... --deliver--> { round, round, ... } --> done | refused    all is settled
 *                                                    --> hold | unknown    deliver again: what is left goes out
 *
 * 1. In a partition only the first batch is under way; the next goes out when it is confirmed. So order is kept.
 * 2. A batch whose outcome is unknown goes out again as it was: the same bytes, the same sequence (R6).
 * 3. The epoch changes, and sequences begin again from 0, only while no batch is unknown.
 */
import type { Outcome, Problem, Refusal } from '@millrace/lane'
import { BatchError, type Compression, type RecordView } from '@millrace/record'
import type { Cluster } from './cluster.ts'
import { KafkaError } from './errors.ts'
import { Identity } from './identity.ts'
import { outcomeOf } from './problem.ts'
import { apis } from './requests/request.ts'
import { type Acks, notOwner, runRound, type Stop } from './round.ts'
import { findInLog } from './tail.ts'
import type { Partition, PartitionBy, TopicSettings } from './topic.ts'
import { type MissingTopic, noPartition, Topics } from './topics.ts'
import { Transaction } from './transaction.ts'

/** What a lane's producer is opened with. */
export interface ProducerOptions {
  cluster: Cluster
  /** The lane's name: it chooses the lane's own partition. */
  lane: string
  /** What fences the owner before (R9); only with acks `all`. Or a transaction, which all batches are part of. */
  transactionalId: string | Transaction
  /** `all`: in the log of every replica in sync, once. 1: of the leader. 0: nobody says. The last two can lose and repeat. */
  acks: Acks
  compression: Compression
  partitionBy: PartitionBy
  /** A partition's batch is cut before it has more bytes, before compression. Brokers take 1,048,588 by default. */
  maxBatchBytes: number
  missingTopic: MissingTopic
  /** A topic that is known beforehand. */
  topic?: string | undefined
  /** R11: asked before every round of sending; false: this is no longer the owner. */
  mayWrite?: () => boolean | Promise<boolean>
}

/** Rounds in which leaders may turn out to have moved, or sequences to be lost, before the lane holds. */
const patience = 2

const sequenceLost: Stop = {
  is: 'unknown',
  problem: { code: 'sequence_lost', message: 'The broker has lost track of the batches: the transaction begins anew.' },
}

const noCompression: Problem = {
  code: 'compression_refused',
  message: 'The brokers do not take the compression that the route asks for: its records go uncompressed.',
}

const noFence: Problem = {
  code: 'no_fence',
  message:
    'The brokers have no transactional ids: an owner of the lane that stood still may write old records once more, behind newer ones.',
}

const noNumbers: Problem = {
  code: 'no_idempotence',
  message:
    'The brokers number no batches: what is sent again after a lost answer may be there twice, once behind newer records.',
}

/** Which record of a delivery it is, and the partition that it names. */
interface Placing {
  index: number
  partition?: number | undefined
}

/** One lane's producer. */
export class Producer {
  readonly #cluster: Cluster
  readonly #acks: Acks
  readonly #identity: Identity | undefined
  readonly #transaction: Transaction | undefined
  readonly #compression: Compression
  readonly #settings: TopicSettings
  readonly #topics: Topics
  readonly #mayWrite: () => boolean | Promise<boolean>
  #refusals: Refusal[] = []

  private constructor(options: ProducerOptions, identity: Identity | undefined) {
    this.#cluster = options.cluster
    this.#acks = options.acks
    this.#identity = identity
    this.#transaction = options.transactionalId instanceof Transaction ? options.transactionalId : undefined
    this.#compression = options.compression
    this.#mayWrite = options.mayWrite ?? (() => true)
    const { lane, partitionBy, maxBatchBytes } = options
    const isRefused = options.cluster.settings.gzipOnly && options.compression !== 'gzip'
    const compression = isRefused ? 'none' : options.compression
    this.#settings = { lane, partitionBy, compression, maxBatchBytes, spareCutters: [] }
    this.#topics = new Topics(options.cluster, this.#settings, options.missingTopic)
  }

  /** Shuts the owner before out, with acks `all`, and reads the topic's metadata. Throws KafkaError. */
  static async open(options: ProducerOptions): Promise<Producer> {
    const { cluster, acks, transactionalId: id, topic } = options
    // Told now, not with the first record.
    cluster.require([apis.produce])
    const fences = acks === 'all' && typeof id === 'string'
    const producer = new Producer(options, fences ? await Identity.take(cluster, id) : undefined)
    if (topic !== undefined) {
      producer.#topics.use(topic)
      await producer.#topics.refresh(producer.#refusals)
    }
    return producer
  }

  /** What the cluster does not do as it was asked to, which does not stand in the way but must be known. */
  get notice(): Problem | undefined {
    return this.#settings.compression === this.#compression ? undefined : noCompression
  }

  /** R14: what the cluster does not have, though it was asked for, which lowers what is promised. */
  get lowers(): readonly Problem[] {
    if (this.#acks !== 'all' || this.#transaction !== undefined || this.#identity?.fences) return []
    return [this.#identity === undefined ? noNumbers : noFence]
  }

  /**
   * Copies a record into the batch of its partition: the one named, else the one that its key or the lane has. `index`
   * says which record of the delivery it is. A record that no batch can hold is refused. Returns the partition, where it
   * is known already.
   */
  add(topic: string, view: RecordView, { index, partition }: Placing): number | undefined {
    try {
      const placed = this.#topics.use(topic).add(view, index, partition)
      if (placed === undefined) this.refuse(noPartition(index, topic))
      return placed === 'early' ? undefined : placed
    } catch (error) {
      if (!(error instanceof BatchError)) throw error
      this.refuse({ index, code: 'invalid_record', message: `No record of Kafka's: ${error.message}` })
      return undefined
    }
  }

  /** Makes a record of this delivery one that can never pass. */
  refuse(refusal: Refusal): void {
    this.#refusals.push(refusal)
  }

  /**
   * Sends what was added and is not confirmed yet; after `hold` or `unknown` it is called again, with nothing added.
   * Throws ProducerFencedError where another owner has the lane.
   */
  async deliver(): Promise<Outcome> {
    for (const topic of this.#topics.used) topic.close()
    try {
      const stop = await this.#rounds()
      if (stop !== undefined) return stop
    } catch (error) {
      if (error instanceof KafkaError) return outcomeOf(error)
      throw error
    }
    this.#topics.endDelivery()
    const refusals = this.#refusals.sort((a, b) => a.index - b.index)
    this.#refusals = []
    return refusals.length === 0 ? { is: 'done' } : { is: 'refused', refusals }
  }

  /**
   * Forgets the delivery that was added: its transaction was aborted. It is added again, to the next one, whose batches
   * have another epoch.
   */
  rollBack(): void {
    this.#refusals = []
    this.#topics.rollBack()
  }

  async #rounds(): Promise<Stop | undefined> {
    for (let left = patience; ; ) {
      if (!(await this.#mayWrite())) return notOwner
      const problem = await this.#topics.refresh(this.#refusals)
      if (problem !== undefined && (problem.code !== 'topic_created' || left-- === 0)) return { is: 'hold', problem }
      const waiting = this.#waiting()
      if (waiting.length === 0) {
        if (problem === undefined) return undefined
        continue
      }
      const lost = await this.#prepare(waiting)
      if (lost !== undefined) return lost
      const result = await runRound(this.#waiting(), {
        cluster: this.#cluster,
        acks: this.#acks,
        identity: (this.#transaction ?? this.#identity)?.current,
        transactionalId: this.#transaction?.id ?? null,
        topicOf: name => this.#topics.use(name),
        mayWrite: this.#mayWrite,
        tooLarge: bytes =>
          (this.#settings.maxBatchBytes = Math.min(this.#settings.maxBatchBytes, Math.ceil(bytes / 2))),
        uncompressed: () => this.#uncompress(),
      })
      this.#refusals.push(...result.refusals)
      if (result.stop !== undefined && (!result.mayGoOn || left-- === 0)) return result.stop
    }
  }

  /** What is added from now on is not compressed; those who would are put aside. */
  #uncompress(): void {
    this.#settings.compression = 'none'
    this.#settings.spareCutters = []
  }

  /** The partitions that have something to send. */
  #waiting(): Partition[] {
    return [...this.#topics.used].flatMap(topic => topic.partitions.filter(({ batches }) => batches.length > 0))
  }

  /** Makes sure of the sequences. In a transaction none can be mended: that one can only be aborted. */
  async #prepare(waiting: readonly Partition[]): Promise<Stop | undefined> {
    if (this.#transaction === undefined) await this.#settleIdentity(waiting)
    else if (waiting.some(({ stale, batches }) => stale || batches[0]?.state === 'lost')) return sequenceLost
    else await this.#transaction.include(waiting.map(({ topic, id }) => ({ topic, partition: id })))
    return undefined
  }

  /** Takes a new epoch where sequences are lost, or it is time; never while a batch is unknown. */
  async #settleIdentity(waiting: readonly Partition[]): Promise<void> {
    const heads = waiting.map(partition => ({ partition, batch: partition.batches[0]! }))
    const lost = heads.filter(({ batch }) => batch.state === 'lost')
    if (this.#identity === undefined || heads.some(({ batch }) => batch.state === 'unknown')) return
    if (lost.length === 0 && !this.#identity.isOld && !waiting.some(({ stale }) => stale)) return
    for (const { partition, batch } of lost) {
      const { topic, id, leader, lastOffset } = partition
      const connection = await this.#cluster.broker(leader)
      const place = { topic, partition: id, after: lastOffset }
      const offset = batch.stamp && (await findInLog(connection, place, batch.stamp))
      if (offset === undefined) batch.state = 'new'
      else partition.confirm(offset)
    }
    await this.#identity.renew()
    this.#topics.restartSequences()
  }
}
