/** The Kafka end of one lane: what the engine delivers goes into the producer, record by record. */
import { type ActorAssignment, FencedError } from '@millrace/bus'
import type { ActorContext } from '@millrace/host'
import {
  type Cluster,
  type ClusterAccess,
  openCluster,
  Producer,
  ProducerFencedError,
  type Recovered,
  Transaction,
} from '@millrace/kafka'
import type { Delivery, Outcome, Problem, Recovery, Sink, TransactionalSink } from '@millrace/lane'
import { isTemplate, sinkOf } from '@millrace/routes'
import { mapperOf, type Mapper } from './map.ts'

/** What of an actor's context a sink needs. */
export type SinkContext = Pick<ActorContext, 'installation' | 'route' | 'sink'> & ClusterAccess

/** Which lane it is the end of. */
export type SinkLane = Pick<ActorAssignment, 'uid' | 'lane'>

/** Connects. Throws KafkaError: later it may be let in. */
export async function openSink(
  lane: SinkLane,
  context: SinkContext,
  mayWrite: () => boolean | Promise<boolean>,
): Promise<KafkaSink | ExactlyOnceSink> {
  const { route, installation } = context
  const cluster = await openCluster(context.sink, context)
  const written = sinkOf(route, 'kafka')
  const { topic, createTopic, partition, acks, compression, batch, positionTopic = topic } = written
  const isFixed = !isTemplate(topic)
  const id = `millrace.${installation}.${lane.uid}.${lane.lane}`
  const transaction = route.delivery === 'exactlyOnce' ? new Transaction({ cluster, id, positionTopic }) : undefined
  try {
    const producer = await Producer.open({
      cluster,
      lane: lane.lane,
      transactionalId: transaction ?? id,
      acks,
      compression,
      partitionBy: partition === 'lane' ? 'lane' : 'key',
      maxBatchBytes: batch.maxBytes,
      missingTopic: createTopic ? { create: createTopic } : isFixed ? 'hold' : 'refuse',
      topic: isFixed ? topic : undefined,
      mayWrite,
    })
    const end = { cluster, producer, map: mapperOf({ sink: written, headers: route.headers }) }
    return transaction === undefined ? new KafkaSink(end) : new ExactlyOnceSink(end, transaction)
  } catch (error) {
    cluster.close()
    throw error
  }
}

/** What both kinds of sink work with. */
interface KafkaEnd {
  cluster: Cluster
  producer: Producer
  map: Mapper
}

/** `delivery: atLeastOnce`: opening it has shut the lane's owner before out (R9). */
export class KafkaSink implements Sink {
  readonly #end: KafkaEnd

  constructor(end: KafkaEnd) {
    this.#end = end
  }

  /** What does not stand in the way, but must be known. */
  get notice(): Problem | undefined {
    return this.#end.producer.notice
  }

  /** R14: what the cluster can't do, which lowers the route's guarantee. */
  get lowers(): readonly Problem[] {
    return this.#end.producer.lowers
  }

  async write(delivery: Delivery): Promise<Outcome> {
    addAll(delivery, this.#end)
    return await this.again()
  }

  async again(): Promise<Outcome> {
    try {
      return await this.#end.producer.deliver()
    } catch (error) {
      if (error instanceof ProducerFencedError) throw new FencedError(error.message, { cause: error })
      throw error
    }
  }

  async close(): Promise<void> {
    this.#end.cluster.close()
  }
}

/**
 * `delivery: exactlyOnce`. Its fence does not say who the owner is, because a transaction that was open for too long is
 * fenced as well: a ProducerFencedError makes the actor begin again, and claim the lane's position on the bus.
 */
export class ExactlyOnceSink implements TransactionalSink {
  /** Nothing: where the cluster has no transactions the lane holds. */
  readonly lowers: readonly Problem[] = []
  readonly #end: KafkaEnd
  readonly #transaction: Transaction

  constructor(end: KafkaEnd, transaction: Transaction) {
    this.#end = end
    this.#transaction = transaction
  }

  /** What does not stand in the way, but must be known. */
  get notice(): Problem | undefined {
    return this.#end.producer.notice
  }

  /** The topic under which the group's offset is committed. */
  get keptIn(): string {
    return this.#transaction.positionTopic
  }

  async positionIn(topic: string): Promise<Recovery> {
    return positionOf(await this.#transaction.positionUnder(topic))
  }

  async recover(): Promise<Recovery> {
    const found = await this.#transaction.recover()
    if (found.is === 'done') this.#end.producer.rollBack()
    return positionOf(found)
  }

  async write(delivery: Delivery): Promise<Outcome> {
    addAll(delivery, this.#end)
    const outcome = await this.#end.producer.deliver()
    if (outcome.is === 'hold') await this.#transaction.abort()
    return outcome
  }

  /** The group's offset is how many records of the lane are behind; the position stands in its metadata. */
  async commit({ text, records }: { text: string; records: number }): Promise<Outcome> {
    return await this.#transaction.commit({ offset: BigInt(records), metadata: text })
  }

  async close(): Promise<void> {
    this.#end.cluster.close()
  }
}

/** The position stands in the offset's metadata. */
const positionOf = (found: Recovered): Recovery =>
  found.is === 'done' ? { is: 'done', position: found.position?.metadata } : found

/** Reads the delivery to its end. */
function addAll(delivery: Delivery, { producer, map }: KafkaEnd): void {
  for (let index = 0; delivery.next(); index++) {
    const target = map(delivery)
    if ('problem' in target) producer.refuse({ index, ...target.problem })
    else {
      const { topic } = target
      const partition = producer.add(topic, delivery.view, { index, partition: target.partition })
      delivery.tap?.(() => ({ to: { topic, partition } }))
    }
  }
}
