/**
 * The lister of a route: finds the partitions of its source, now and for as long as it runs, and tells each as a lane.
 *
 * The route's `start` is for the partitions that are there when the route begins to name them: by a topic, or by a pattern.
 * One that comes later begins with its first record, whatever `start` says: what is written between its making and its
 * finding is not missed. Which is which, the coordinator has kept with the route: the lanes, and the topics and patterns
 * that were looked for when they were found. Where `start` says something else, the lister opens a late lane itself, at
 * its earliest offset, and only then tells of it; so its source, which gets a higher epoch, finds a position and goes on
 * there (R4).
 */
import { delay } from '@millrace/actor'
import { type ActorAssignment, Bucket, openLane, readEnd, routesDocument } from '@millrace/bus'
import { type ActorContext, sourceSide } from '@millrace/host'
import { type Cluster, PartitionLog } from '@millrace/kafka'
import type { Problem } from '@millrace/lane'
import { isTopicPattern, type KafkaSource, sourceOf, topicMatcher } from '@millrace/routes'
import { keepConnected } from './connection.ts'
import { earliestOf, partitionOf, positionText } from './position.ts'

/** Milliseconds between looks; the shorter one while something that the route names is missing. */
const lookEvery = { complete: 30_000, missing: 5_000 }

/** Lists until it is drained or aborted. */
export async function keepListing(actor: ActorAssignment, context: ActorContext): Promise<void> {
  const lister = new Lister(actor, context)
  const failed = (problem: Problem) => context.state('holding', problem)
  await keepConnected(context, { act: cluster => lister.run(cluster), failed })
}

class Lister {
  readonly #actor: ActorAssignment
  readonly #context: ActorContext
  readonly #source: KafkaSource
  /** What was told in this run. */
  #told: readonly string[] | undefined

  constructor(actor: ActorAssignment, context: ActorContext) {
    this.#actor = actor
    this.#context = context
    this.#source = sourceOf(context.route, 'kafka')
  }

  async run(cluster: Cluster): Promise<void> {
    const { draining, state, lanes } = this.#context
    while (!draining.aborted) {
      const { found, problem } = await findLanes(cluster, this.#source.topics)
      await this.#openLate(cluster, found)
      this.#told = found
      lanes(found)
      state(problem === undefined ? 'running' : 'holding', problem)
      await delay(problem === undefined ? lookEvery.complete : lookEvery.missing, draining)
    }
  }

  async #openLate(cluster: Cluster, found: readonly string[]): Promise<void> {
    const { start } = this.#source
    if (start === 'earliest' || start === 'committed' || (typeof start === 'object' && 'offsets' in start)) return
    const { lanes, looked } = await this.#kept()
    const known = new Set([...lanes, ...(this.#told ?? [])])
    const wasLookedFor = topicMatcher(this.#told === undefined ? looked : this.#source.topics)
    const isLate = (lane: string) => !known.has(lane) && wasLookedFor(partitionOf(lane).topic)
    for (const lane of found.filter(isLate)) await this.#openAtEarliest(cluster, lane)
  }

  /** The lanes that the coordinator has been told of before, and what was looked for then. */
  async #kept(): Promise<{ lanes: readonly string[]; looked: readonly string[] }> {
    const { route, uid } = this.#actor
    const kept = (await new Bucket(this.#context.bus, 'mr_routes', routesDocument).read('current'))?.value.routes[route]
    if (kept?.uid !== uid || kept.lanes === undefined) return { lanes: [], looked: [] }
    // Of a route that an earlier version kept, all.
    return { lanes: kept.lanes, looked: kept.looked ?? this.#source.topics }
  }

  async #openAtEarliest(cluster: Cluster, lane: string): Promise<void> {
    const side = sourceSide('kafka-ingress', { ...this.#actor, lane }, this.#context)
    if ((await readEnd(side.bus, side.lane)) !== undefined) return
    const partition = partitionOf(lane)
    const log = new PartitionLog(cluster, partition, this.#source.isolation)
    await log.locate()
    const position = positionText(await earliestOf(log))
    await openLane({
      ...side,
      tell: problem => problem && this.#context.state('holding', problem),
      source: JSON.stringify(partition),
      // Somebody who opened it meanwhile knows where it goes on.
      start: previous => previous ?? position,
    })
  }
}

/** All partitions of the topics, and what of them is missing. Throws KafkaError. */
async function findLanes(
  cluster: Cluster,
  wanted: readonly string[],
): Promise<{ found: string[]; problem: Problem | undefined }> {
  const matches = topicMatcher(wanted)
  const { topics } = await cluster.metadata(wanted.some(isTopicPattern) ? null : wanted)
  const there = topics.filter(({ name, error }) => error === 0 && matches(name))
  const found = there.flatMap(({ name, leaders }) => [...leaders.keys()].map(partition => `${name}/${partition}`))
  const missing = wanted.filter(topic => !isTopicPattern(topic) && there.every(({ name }) => name !== topic))
  return { found, problem: missing.length === 0 ? undefined : missingTopics(missing) }
}

function missingTopics(missing: readonly string[]): Problem {
  const message = `${missing.join(', ')}: no such topic, or none that this user may read. It is looked for again, and read from its first record once it is there.`
  return { code: 'topic_missing', message }
}
