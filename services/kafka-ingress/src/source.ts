/**
 * A partition of a Kafka topic, read into one lane: exactly once.
 *
 *   connecting --> comparing --(the log goes on where the position stands)--> reading --(lost, moved)--> connecting
 *   comparing --(it does not: expired, cut, made anew, deleted)--> an alarm, or on from what is left (`onGap`)
 *   any of them --(draining)--> read nothing more, store, commit to the group, end
 *
 * 1. The position is the next offset to read. It travels in the message that holds the records before it (R4), so what
 *    the lane holds and where reading goes on can't differ: nothing comes twice, and nothing is left out.
 * 2. Batches go on as they were fetched, not decoded. What is not for readers (markers, aborted transactions) is left
 *    out, and the position moves past it.
 * 3. The next Fetch is sent as soon as the last one is with the lane, while that is being stored; where the lane has no
 *    room, none is sent (R8).
 * 4. Nothing but the position says where to go on, once there is a lane: never `start`, and never the group's offset.
 */
import { unlessAborted } from '@millrace/actor'
import { AlarmError, StoppedError } from '@millrace/bus'
import { type ActorContext, Condition, mayWrite } from '@millrace/host'
import {
  type Cluster,
  fetchBytes,
  type Fetched,
  KafkaError,
  type LogBatch,
  logRuns,
  obstacleOf,
  PartitionLog,
  type PartitionName,
} from '@millrace/kafka'
import type { Problem, SourceEvents, Writer } from '@millrace/lane'
import { BatchError, readHeader, viewOf } from '@millrace/record'
import { type KafkaSource, sourceOf } from '@millrace/routes'
import { keepConnected } from './connection.ts'
import { Damage } from './damage.ts'
import { followedOurs, Group } from './group.ts'
import { HeldBack } from './held-back.ts'
import { LatencySample } from './latency-sample.ts'
import { gapBefore, neverRead, parsePosition, type Position, positionText, startOf } from './position.ts'
import { restOf } from './rest.ts'

/** Opens the lane: `start` turns its last position into the one of the opening batch (R4). */
export type OpenLane = (start: (previous: string | undefined) => Promise<string>) => Promise<Writer>

/** A topic that was there and is gone for so many milliseconds was deleted; for a moment a broker may just not know it. */
const missingForMs = 15_000
/** A position that only moved past what is not for readers is stored so often, in milliseconds, at most. */
const markEveryMs = 1_000
/** A gap that was passed over is shown for so many milliseconds; the log and the counter keep it. */
const gapShownForMs = 3_600_000
/** Of a lane that was silent, and of all while the process holds as much as it may, a Fetch brings so many bytes. */
const leastFetch = 64 * 1024
/** Milliseconds for which a broker may hold a Fetch that nothing else waits for. */
const longestWaitMs = 5_000

/** The source of one partition's lane; it runs once. */
export class Source implements SourceEvents {
  readonly #context: ActorContext
  readonly #partition: PartitionName
  readonly #route: KafkaSource
  readonly #openLane: OpenLane
  readonly #condition: Condition
  readonly #group: Group
  readonly #heldBack: HeldBack
  readonly #latency: LatencySample
  readonly #damage = new Damage()
  #position: Position = { clusterId: '', topicId: '', offset: 0n, leaderEpoch: -1 }
  #ordinal = 0
  /** Whether the position has moved past what was passed on, and when that was stored last. */
  #unmarked = false
  #markedAt = 0
  #missingSince: number | undefined
  #gapAt = Number.POSITIVE_INFINITY
  #roomAgain: () => void = () => {}
  /** Nothing came with the last Fetch. */
  #silent = true

  constructor(context: ActorContext, partition: PartitionName, openLane: OpenLane) {
    const { installation, route, state } = context
    this.#context = context
    this.#partition = partition
    this.#route = sourceOf(route, 'kafka')
    this.#openLane = openLane
    this.#condition = new Condition(state)
    this.#group = new Group(this.#route.group ?? `millrace-${installation}-${route.name}`, this.#tellGroup)
    this.#heldBack = new HeldBack(this.#tellHeldBack)
    this.#latency = new LatencySample(seconds => context.latency.observe(seconds))
  }

  /** Runs until it is drained or aborted. Rejects where the lane can't be written any more, and at a gap (AlarmError). */
  async run(): Promise<void> {
    const writer = await this.#openLane(previous => this.#begin(previous))
    await Promise.race([this.#keepReading(writer), writer.ended])
  }

  stored(ordinal: number): void {
    this.#context.log.trace({ upTo: ordinal }, 'stored')
    this.#group.stored(ordinal)
    this.#latency.stored(ordinal)
  }

  roomAgain(): void {
    this.#roomAgain()
  }

  position(): string {
    return positionText(this.#position)
  }

  /** The lane stores, or why it does not. */
  tellStoring: Condition['storing'] = problem => this.#condition.storing(problem)

  readonly #tellGroup = (problem: Problem | undefined): void => {
    if (problem === undefined) return this.#condition.withdraw('group_behind')
    this.#notice(problem.code, `${problem.message} Data is not affected, only what tools see of the lag.`)
  }

  readonly #tellHeldBack = (problem: Problem | undefined): void => {
    if (problem === undefined) this.#condition.withdraw('open_transaction')
    else this.#notice(problem.code, problem.message)
  }

  async #begin(previous: string | undefined): Promise<string> {
    if (previous !== undefined && previous !== neverRead) this.#position = parsePosition(previous)
    else {
      const group = this.#group.name
      const followsOurs = () => this.#notice('group_ours', followedOurs(group))
      const begin = (log: PartitionLog) =>
        startOf(log, this.#partition, { start: this.#route.start, group, followsOurs })
      const position = await this.#withLog(begin, problem => this.#condition.reading(problem))
      if (position === undefined) throw new StoppedError('Stopped before the start was known.')
      this.#position = position
      this.#context.log.debug({ offset: String(position.offset) }, 'the lane is new, and begins here')
    }
    return this.position()
  }

  async #keepReading(writer: Writer): Promise<void> {
    await this.#withLog(
      log => this.#read(log, writer),
      (problem, error) => {
        this.#checkDeleted(error)
        this.#condition.reading(problem)
      },
    )
    await writer.flush()
  }

  /** Acts on the partition's log, found anew after each failure; undefined where this actor is over before. */
  async #withLog<T>(
    act: (log: PartitionLog) => Promise<T>,
    failed: (problem: Problem, error: unknown) => void,
  ): Promise<T | undefined> {
    const locateAndAct = async (cluster: Cluster) => {
      const log = new PartitionLog(cluster, this.#partition, this.#route.isolation)
      await log.locate()
      this.#missingSince = undefined
      return await act(log)
    }
    return await keepConnected(this.#context, { act: locateAndAct, failed })
  }

  async #read(log: PartitionLog, writer: Writer): Promise<void> {
    const { signal, draining } = this.#context
    const over = AbortSignal.any([signal, draining])
    await this.#compare(log)
    const { offset, leaderEpoch } = this.#position
    this.#context.log.debug({ offset: String(offset), leaderEpoch }, 'reading')
    this.#condition.reading(undefined)
    while (!over.aborted) {
      if (!writer.room) await unlessAborted(this.#room(), over)
      const most = this.#most()
      using _ = this.#context.budget.hold(this.#silent ? 0 : most.maxBytes)
      const fetched = await unlessAborted(log.fetch(this.#position.offset, most), over)
      if (fetched === undefined || !(await mayWrite(this.#context))) break
      this.#silent = fetched.records.length === 0
      this.#heldBack.look(fetched)
      if (performance.now() - this.#gapAt >= gapShownForMs) this.#condition.withdraw('kafka_gap')
      this.#pass(fetched, writer)
      this.#group.follow(log)
    }
    await writer.flush()
    await this.#group.commit(log)
  }

  /** The next Fetch: a small one where many may be answered at once, and a long one where nothing else is to be asked. */
  #most(): { maxBytes: number; longestWait?: number } {
    const maxBytes = this.#silent || !this.#context.budget.room ? leastFetch : fetchBytes
    const rests = this.#silent && !this.#unmarked && !this.#group.isBehind
    return { maxBytes, ...(rests && { longestWait: longestWaitMs }) }
  }

  #room(): Promise<void> {
    return new Promise(resolve => {
      this.#roomAgain = resolve
    })
  }

  /** Records that are gone are never passed by in silence. */
  async #compare(log: PartitionLog): Promise<void> {
    const gap = await gapBefore(log, this.#position)
    if (gap === undefined) {
      // What was begun where nobody told the ids has them from now on.
      const { clusterId, topicId } = this.#position
      this.#position = { ...this.#position, clusterId: clusterId || log.clusterId, topicId: topicId || log.topicId }
      return
    }
    const { topic, partition } = this.#partition
    const message = `${topic}, partition ${partition}: ${gap.what}.`
    if (this.#route.onGap === 'stop') throw gapAlarm(message)
    this.#position = gap.next
    this.#unmarked = true
    this.#gapAt = performance.now()
    this.#context.counts.gaps++
    this.#context.counts.skipped += Number(gap.skipped)
    this.#notice('kafka_gap', `${message} Reading went on at offset ${gap.next.offset}.`)
  }

  #checkDeleted(error: unknown): void {
    if (!(error instanceof KafkaError) || obstacleOf(error) !== 'missing') {
      // While nobody answers, nobody says that it is still missing.
      this.#missingSince = undefined
      return
    }
    this.#missingSince ??= performance.now()
    if (this.#route.onGap !== 'stop' || performance.now() - this.#missingSince < missingForMs) return
    throw gapAlarm(`${error.message} It was read up to offset ${this.#position.offset}, and is deleted.`)
  }

  #pass(fetched: Fetched, writer: Writer): void {
    const before = this.#ordinal
    const { offset } = this.#position
    for (const batch of logRuns(fetched, this.#route.isolation, this.#position.offset)) {
      if (batch.damage !== undefined) this.#refuse(batch, batch.damage, writer)
      else if (batch.count > 0) this.#passBatch(batch, writer)
      this.#position = { ...this.#position, offset: batch.next, leaderEpoch: batch.leaderEpoch }
      this.#unmarked = true
    }
    if (fetched.records.length > 0 && this.#position.offset === offset) throw this.#noBatch(fetched)
    if (this.#ordinal > before) this.#passed(before + 1)
    else if (this.#unmarked && performance.now() - this.#markedAt >= markEveryMs) this.#mark(writer)
  }

  /** To ask again at once would give the same. */
  #noBatch({ records }: Fetched): BatchError {
    const { topic, partition } = this.#partition
    const message = `${topic}, partition ${partition}: the broker answers with ${records.length} bytes for offset ${this.#position.offset}, and no whole batch.`
    return new BatchError('truncated', message)
  }

  #passBatch(batch: LogBatch, writer: Writer): void {
    const { bytes, first, count } = batch
    if (first >= this.#position.offset) {
      this.#ordinal = writer.pass(bytes, count)
      return
    }
    const rest = restOf(bytes, this.#position.offset)
    if (rest instanceof BatchError) this.#refuse(batch, rest, writer)
    else if (rest !== undefined) this.#ordinal = writer.pass(rest, readHeader(rest).count)
  }

  /** What the log holds there are not the bytes that were written, or of a format that is not read: a dead letter (R7). */
  #refuse({ bytes, first }: LogBatch, damage: BatchError, writer: Writer): void {
    const { topic, partition } = this.#partition
    const message = `${topic}, partition ${partition}: the batch at offset ${first} can't be read: ${damage.message}`
    if (damage.code !== 'old_format' && this.#damage.mayPass(first)) throw new BatchError(damage.code, message)
    const view = viewOf({ timestamp: -1, key: null, value: bytes, headers: [] })
    this.#ordinal = writer.refuse(view, { code: 'bad_batch', message })
  }

  #passed(first: number): void {
    this.#group.passed(this.#ordinal, this.#position)
    this.#unmarked = false
    this.#latency.begin(first)
  }

  #mark(writer: Writer): void {
    this.#group.passed(this.#ordinal, this.#position)
    this.#unmarked = false
    this.#markedAt = performance.now()
    writer.mark()
  }

  #notice(code: string, message: string): void {
    this.#condition.notice({ code, message })
    this.#context.log.warn({ code }, message)
  }
}

/** Somebody has to look, and to say whether what is left may be read (`onGap: earliest`). */
function gapAlarm(message: string): AlarmError {
  return new AlarmError('kafka_gap', `${message} The lane stops here; onGap: earliest goes on with what is left.`)
}
