/** The Kafka end of one lane: what the engine delivers goes into the producer, record by record. */
import { type ActorAssignment, FencedError } from '@millrace/bus'
import type { ActorContext } from '@millrace/host'
import { Cluster, clusterSettings, KafkaError, Producer, ProducerFencedError } from '@millrace/kafka'
import type { Delivery, Outcome, Sink } from '@millrace/lane'
import { isTemplate, resolveCredentials, sinkOf } from '@millrace/routes'
import { mapperOf, type Mapper } from './map.ts'

/** What of an actor's context a sink needs. */
export type SinkContext = Pick<ActorContext, 'installation' | 'route' | 'sink' | 'secret' | 'signal'> & {
  settings: Pick<ActorContext['settings'], 'secretsDir'>
}

/** Which lane it is the end of. */
export type SinkLane = Pick<ActorAssignment, 'uid' | 'lane'>

export class KafkaSink implements Sink {
  readonly #cluster: Cluster
  readonly #producer: Producer
  readonly #map: Mapper

  private constructor(cluster: Cluster, producer: Producer, map: Mapper) {
    this.#cluster = cluster
    this.#producer = producer
    this.#map = map
  }

  /** Connects, and shuts the lane's owner before out (R9). Throws KafkaError, SecretError. */
  static async open(lane: SinkLane, context: SinkContext, mayWrite: () => Promise<boolean>): Promise<KafkaSink> {
    const { route, sink: connection, secret: secrets, signal, installation } = context
    if (connection.kafka === undefined)
      throw new KafkaError('configuration', `${connection.name} is not a Kafka connection.`)
    const credentials = await resolveCredentials(connection, { secrets, folder: context.settings.secretsDir })
    const cluster = await Cluster.open(clusterSettings(connection.kafka, { credentials, clientId: 'millrace' }), signal)
    const written = sinkOf(route, 'kafka')
    const { topic, createTopic, partition, acks, compression, batch } = written
    const isFixed = !isTemplate(topic)
    try {
      const producer = await Producer.open({
        cluster,
        lane: lane.lane,
        transactionalId: `millrace.${installation}.${lane.uid}.${lane.lane}`,
        acks,
        compression,
        partitionBy: partition === 'lane' ? 'lane' : 'key',
        maxBatchBytes: batch.maxBytes,
        missingTopic: createTopic ? { create: createTopic } : isFixed ? 'hold' : 'refuse',
        topic: isFixed ? topic : undefined,
        mayWrite,
      })
      return new KafkaSink(cluster, producer, mapperOf({ sink: written, headers: route.headers }))
    } catch (error) {
      cluster.close()
      throw error
    }
  }

  async write(delivery: Delivery): Promise<Outcome> {
    for (let index = 0; delivery.next(); index++) {
      const target = this.#map(delivery)
      if ('problem' in target) this.#producer.refuse({ index, ...target.problem })
      else {
        this.#producer.add(target.topic, delivery.view, { index, partition: target.partition })
        // The partition is told where the route names it.
        delivery.tap?.(() => ({ to: { ...target } }))
      }
    }
    return await this.again()
  }

  async again(): Promise<Outcome> {
    try {
      return await this.#producer.deliver()
    } catch (error) {
      if (error instanceof ProducerFencedError) throw new FencedError(error.message, { cause: error })
      throw error
    }
  }

  async close(): Promise<void> {
    this.#cluster.close()
  }
}
