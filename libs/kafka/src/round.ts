/** One round of sending: the first batch of every partition, one Produce a leader, and what each answer means. */
import type { Outcome, Problem, Refusal } from '@millrace/lane'
import { readHeader } from '@millrace/record'
import { type Batch, mayBeStored, pick, stampAs } from './batch.ts'
import { verdictOf } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { KafkaError, ProducerFencedError } from './errors.ts'
import { outcomeOf, partitionProblem } from './problem.ts'
import { type PartitionAnswer, produce } from './requests/produce.ts'
import type { ProducerIdentity } from './requests/transactional-id.ts'
import type { Partition, Topic } from './topic.ts'

/** How many replicas must have a batch before it counts as stored. */
export type Acks = 'all' | 1 | 0

/** Why a delivery stops short of its end. */
export type Stop = Extract<Outcome, { is: 'hold' | 'unknown' }>

/** The lane may belong to another instance now: nothing more goes out. */
export const notOwner: Stop = {
  is: 'hold',
  problem: { code: 'not_owner', message: 'The lane may belong to another instance now.' },
}

/** What a round works with. */
export interface RoundContext {
  cluster: Cluster
  acks: Acks
  /** Whose sequences the batches carry; without one they carry none. */
  identity: ProducerIdentity | undefined
  /** Of the transaction that the batches belong to; null without one. */
  transactionalId: string | null
  topicOf(name: string): Topic
  /** R11: asked right before a request goes out, for to connect may have taken long. */
  mayWrite(): boolean | Promise<boolean>
  /** A batch of so many bytes was too large for its broker. */
  tooLarge(bytes: number): void
  /** The brokers do not take the compression: from now on none is used. */
  uncompressed(): void
}

/** What a round came to. */
export interface RoundResult {
  refusals: Refusal[]
  /** The gravest reason to stop. */
  stop: Stop | undefined
  /** Whether another round, with fresh metadata or a new epoch, may get past it. */
  mayGoOn: boolean
}

/** The answer to one batch, unless it was confirmed. */
interface Setback {
  stop: Stop
  mayGoOn: boolean
}

/** Sends and settles. Throws ProducerFencedError, and only once every answer is there. */
export async function runRound(waiting: readonly Partition[], context: RoundContext): Promise<RoundResult> {
  const round = new Round(context)
  const sendable = waiting.filter(({ batches, stale }) => batches[0]?.state !== 'lost' && !stale)
  const room = context.cluster.settings.largestRequest - overhead.request
  const { fits = [], large = [] } = Object.groupBy(sendable, next => (sizeOf(next) <= room ? 'fits' : 'large'))
  for (const partition of large) round.split(partition)
  const requests = [...Map.groupBy(fits, partition => partition.leader)].flatMap(([leader, partitions]) =>
    fill(partitions, room).map(some => round.send(leader, some)),
  )
  const ends = await Promise.allSettled(requests)
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return round.result()
}

/** What a request has beside its batches, and beside each of them but the topic's name, at most. */
const overhead = { request: 1_000, batch: 100 }

/** The partitions whose first batches make up one request each, of at most `room` bytes. */
function fill(partitions: readonly Partition[], room: number): Partition[][] {
  const requests: Partition[][] = []
  let left = 0
  for (const partition of partitions) {
    const size = sizeOf(partition)
    const request = requests.at(-1)
    if (request === undefined || size > left) {
      requests.push([partition])
      left = room - size
    } else {
      request.push(partition)
      left -= size
    }
  }
  return requests
}

/** What a partition's first batch takes of a request, at most. */
function sizeOf({ topic, batches }: Partition): number {
  return overhead.batch + Buffer.byteLength(topic) + (batches[0]?.bytes.length ?? 0)
}

class Round {
  readonly #context: RoundContext
  readonly #refusals: Refusal[] = []
  readonly #setbacks: Setback[] = []

  constructor(context: RoundContext) {
    this.#context = context
  }

  result(): RoundResult {
    const unknown = this.#setbacks.find(({ stop }) => stop.is === 'unknown')
    const final = unknown ?? this.#setbacks.find(({ mayGoOn }) => !mayGoOn)
    const worst = final ?? this.#setbacks[0]
    return { refusals: this.#refusals, stop: worst?.stop, mayGoOn: worst?.mayGoOn ?? true }
  }

  /** A batch that no request can hold is never sent. */
  split(partition: Partition): void {
    const { largestRequest } = this.#context.cluster.settings
    const message = `${partition.topic}: a request has at most ${largestRequest} bytes here, and this record more.`
    this.#takeApart(partition, [], { code: 'too_large', message })
  }

  /** Sends the first batches of partitions that one node leads, and settles them. */
  async send(leader: number, partitions: readonly Partition[]): Promise<void> {
    const attempts = partitions.map(partition => new Attempt(partition))
    try {
      if (leader < 0) throw new KafkaError('broker_unreachable', noLeader(partitions))
      const connection = await this.#context.cluster.broker(leader)
      if (!(await this.#context.mayWrite())) {
        for (const attempt of attempts) this.#setBack(attempt, { stop: notOwner, mayGoOn: false })
        return
      }
      for (const attempt of attempts) attempt.begin(this.#context)
      const answers = await this.#exchange(connection, attempts)
      for (const attempt of attempts)
        this.#settle(
          attempt,
          answers.find(answer => attempt.isOf(answer)),
        )
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      for (const attempt of attempts) {
        if (error.code !== 'unknown_outcome') attempt.takeBack()
        this.#setBack(attempt, { stop: outcomeOf(error), mayGoOn: false })
      }
    }
  }

  async #exchange(connection: BrokerConnection, attempts: readonly Attempt[]): Promise<PartitionAnswer[]> {
    const { acks, cluster, transactionalId } = this.#context
    const batches = attempts.map(({ partition, batch }) => {
      return { topic: partition.topic, partition: partition.id, bytes: batch.bytes }
    })
    // The broker gives up waiting for its replicas, and says so, before we give up waiting for the broker.
    const timeout = cluster.settings.requestTimeout / 2
    const request = produce(batches, { acks: acks === 'all' ? -1 : acks, timeout, transactionalId })
    if (acks === 0) {
      await connection.sendOnly(request)
      return batches.map(batch => ({ ...batch, error: 0, baseOffset: -1n, invalid: [], message: null }))
    }
    const { partitions, throttle } = await connection.send(request)
    connection.throttle(throttle)
    return partitions
  }

  #settle(attempt: Attempt, answer: PartitionAnswer | undefined): void {
    const { partition, batch } = attempt
    const { error, message, invalid, baseOffset } = answer ?? leftOut
    const verdict = this.#context.identity === undefined && verdictOf(error) === 'lost' ? 'hold' : verdictOf(error)
    const problem = partitionProblem(error, partition.topic, partition.id, message)
    switch (verdict) {
      case 'done':
        return partition.confirm(baseOffset)
      case 'fenced':
        throw new ProducerFencedError(problem.message)
      case 'too_large':
        if (batch.indexes.length > 1) this.#context.tooLarge(batch.bytes.length)
        attempt.takeBack()
        return this.#takeApart(partition, [], { ...problem, code: 'too_large' })
      case 'compression':
        attempt.takeBack()
        if (readHeader(batch.bytes).compression !== 'none') this.#uncompress(partition)
        return this.#setBack(attempt, { stop: { is: 'hold', problem }, mayGoOn: false })
      case 'refused':
        attempt.takeBack()
        return this.#takeApart(partition, invalid, { ...problem, code: 'invalid_record' })
      case 'unknown':
        return this.#setBack(attempt, { stop: { is: 'unknown', problem }, mayGoOn: false })
      case 'lost':
        batch.state = 'lost'
        return this.#setBack(attempt, { stop: { is: 'hold', problem }, mayGoOn: true })
      case 'hold':
      case 'moved':
      case 'topic':
        attempt.takeBack()
        return this.#setBack(attempt, { stop: { is: 'hold', problem }, mayGoOn: verdict !== 'hold' })
    }
  }

  /** Whatever went wrong, the leader may be another one now. */
  #setBack({ partition }: Attempt, setback: Setback): void {
    this.#context.topicOf(partition.topic).readAt = 0
    this.#setbacks.push(setback)
  }

  /** The same records go out again as they are. */
  #uncompress(partition: Partition): void {
    this.#context.uncompressed()
    this.#replace(partition, batch => [pick(batch, () => true, 'none')])
  }

  /**
   * Replaces a batch by smaller ones: without the records that the broker called invalid; in halves where it called
   * none, until one record stands alone, and that one is refused.
   */
  #takeApart(partition: Partition, invalid: readonly number[], problem: Problem): void {
    this.#replace(partition, batch => {
      const { indexes } = batch
      const refused = new Set(indexes.length === 1 ? [0] : invalid.filter(record => indexes[record] !== undefined))
      for (const record of refused) this.#refusals.push({ index: indexes[record]!, ...problem })
      if (refused.size > 0) return [pick(batch, record => !refused.has(record))]
      const half = Math.ceil(indexes.length / 2)
      return [pick(batch, record => record < half), pick(batch, record => record >= half)]
    })
  }

  /** Puts others in the place of a partition's first batch. */
  #replace(partition: Partition, others: (batch: Batch) => (Batch | undefined)[]): void {
    const [batch] = partition.batches.splice(0, 1)
    // It was sent before, and nobody knows what became of that: what goes out next may not use its sequence again.
    if (mayBeStored(batch!)) partition.stale = true
    partition.batches.unshift(...others(batch!).filter(other => other !== undefined))
  }
}

/** One batch's turn in a round. */
class Attempt {
  readonly partition: Partition
  readonly batch: Batch
  readonly #before: Batch['state']

  constructor(partition: Partition) {
    this.partition = partition
    this.batch = partition.batches[0]!
    this.#before = this.batch.state
  }

  /** Stamps a batch that nobody has; one that is unknown goes out as it was. From here on it may be in the log. */
  begin({ identity, transactionalId }: Pick<RoundContext, 'identity' | 'transactionalId'>): void {
    if (identity !== undefined && this.batch.state === 'new') {
      const transactional = transactionalId !== null
      stampAs(this.batch, { ...identity, baseSequence: this.partition.sequence, transactional })
    }
    this.batch.state = 'unknown'
  }

  /** It was not sent, or not appended, this time: what is known of it is what was known before. */
  takeBack(): void {
    this.batch.state = this.#before
  }

  isOf({ topic, partition }: PartitionAnswer): boolean {
    return topic === this.partition.topic && partition === this.partition.id
  }
}

/** A partition that an answer does not mention: nobody knows. */
const leftOut = { error: -1, message: 'left out of the answer', invalid: [], baseOffset: -1n }

function noLeader(partitions: readonly Partition[]): string {
  const words = partitions.map(({ topic, id, gone }) =>
    gone
      ? `${topic} has no partition ${id} any more. Records that were sent there, and never answered, wait for it: they ` +
        'may not go elsewhere. Give the topic that partition, or delete the route.'
      : `${topic}, partition ${id}: no broker leads it now.`,
  )
  return words.join(' ')
}
