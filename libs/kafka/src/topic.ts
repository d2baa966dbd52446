import { BatchBuilder, BatchReader, type Compression, type RecordView } from '@millrace/record'
import { type Batch, BatchCutter, mayBeStored, recordsOf } from './batch.ts'
import { partitionOfKey, partitionOfLane } from './partitioner.ts'

/** How records find their partition where none is named: by key as Kafka's clients do, or one for the whole lane. */
export type PartitionBy = 'key' | 'lane'

/** What a topic needs to know of its producer. */
export interface TopicSettings {
  lane: string
  partitionBy: PartitionBy
  compression: Compression
  /** A batch is cut before it has more bytes; shrinks when a broker calls a batch too large. */
  maxBatchBytes: number
  /** Those that nobody uses now, with the buffers that they have grown: as many as partitions were written at once. */
  spareCutters: BatchCutter[]
}

/** What a record has in a batch beside its key, value and headers, at most. */
const recordOverhead = 36
const sequences = 2 ** 31

/** One partition: what waits for it, in order, and how its sequence goes on. */
export class Partition {
  readonly topic: string
  readonly id: number
  /** The node that leads it; -1 where none does now. */
  leader = -1
  /** The topic does not have it any more. */
  gone = false
  /** Whether its records named it; else they were put here. A route does the one or the other. */
  named = false
  /** The sequence number of the next batch's first record. */
  sequence = 0
  /** A batch that may be in the log was given up: the sequence is not known until a new epoch begins. */
  stale = false
  /** Where the last batch that was confirmed begins. */
  lastOffset: bigint | undefined
  /** In the order of sending; only the first is ever under way. */
  readonly batches: Batch[] = []
  #cutter: BatchCutter | undefined

  constructor(topic: string, id: number) {
    this.topic = topic
    this.id = id
  }

  /** Whether the record would go into the batch being built, and not begin another. */
  fits(view: RecordView, maxBatchBytes: number): boolean {
    return this.#cutter?.fits(sizeOf(view), maxBatchBytes) ?? true
  }

  /** Throws BatchError. */
  add(view: RecordView, index: number, { compression, maxBatchBytes, spareCutters }: TopicSettings): void {
    if (!this.fits(view, maxBatchBytes)) this.#cut()
    this.#cutter ??= spareCutters.pop() ?? new BatchCutter(compression)
    this.#cutter.add(view, index)
  }

  /** No more records in this delivery. */
  close({ spareCutters }: TopicSettings): void {
    if (this.#cutter === undefined) return
    this.#cut()
    spareCutters.push(this.#cutter)
    this.#cutter = undefined
  }

  /** The first batch is in the log, at that offset. */
  confirm(offset: bigint | undefined): void {
    const batch = this.batches.shift()
    this.sequence = (this.sequence + (batch?.indexes.length ?? 0)) % sequences
    if (offset !== undefined && offset >= 0n) this.lastOffset = offset
  }

  /** Gives up what waits, if nobody has any of it: behind a batch that may be in the log, all waits for that. */
  takeUnsent(): Batch[] {
    return this.batches.every(({ state }) => state === 'new') ? this.batches.splice(0) : []
  }

  #cut(): void {
    const batch = this.#cutter?.cut()
    if (batch !== undefined) this.batches.push(batch)
  }
}

function sizeOf(view: RecordView): number {
  const { keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = view
  return recordOverhead + (keyEnd - keyStart) + (valueEnd - valueStart) + (headersEnd - headersStart)
}

/**
 * One topic. Records that come before its partitions are known wait in a batch of their own, and are read from there
 * once they are.
 */
export class Topic {
  readonly name: string
  /** By id; one that is gone stays, without a leader, as long as the topic is known. */
  readonly partitions: Partition[] = []
  /** When its metadata was read, by the monotonic clock; 0: it must be read (again). */
  readAt = 0
  readonly #settings: TopicSettings
  /** How many partitions it has now. */
  #count = 0
  #early: BatchBuilder | undefined
  #earlyIndexes: number[] = []
  #earlyPartitions: (number | undefined)[] = []
  /** Where records without a key go, until that batch is full or delivered. */
  #sticky: number

  constructor(name: string, settings: TopicSettings) {
    this.name = name
    this.#settings = settings
    this.#sticky = partitionOfLane(settings.lane, sequences)
  }

  /** Whether records wait for its partitions to be known. */
  get hasEarly(): boolean {
    return this.#earlyIndexes.length > 0
  }

  /**
   * Adds a record. Returns its partition, `early` where the topic's are not known yet, or undefined where it names one
   * that the topic does not have. Throws BatchError.
   */
  add(view: RecordView, index: number, partition: number | undefined): number | 'early' | undefined {
    if (this.#count > 0) return this.#place(view, index, partition)
    this.#early ??= new BatchBuilder()
    this.#early.add(view)
    this.#earlyIndexes.push(index)
    this.#earlyPartitions.push(partition)
    return 'early'
  }

  /**
   * The topic has these leaders: places what waited for that. Where it was made anew with fewer partitions, what was
   * never sent is placed again. Returns the records that name a partition which it does not have.
   */
  learn(leaders: readonly number[]): number[] {
    const isSmaller = leaders.length < this.#count
    for (const id of leaders.keys()) this.partitions[id] ??= new Partition(this.name, id)
    for (const partition of this.partitions) {
      partition.gone = partition.id >= leaders.length
      partition.leader = leaders[partition.id] ?? -1
    }
    this.#count = leaders.length
    this.readAt = performance.now()
    if (leaders.length === 0) return []
    return isSmaller ? this.#placeAgain() : this.#placeEarly()
  }

  /** No more records in this delivery; the next one's keyless records go elsewhere. */
  close(): void {
    for (const partition of this.partitions) partition.close(this.#settings)
    this.#sticky++
  }

  /** Gives up all that waits for it, and says which records those are. */
  abandon(): number[] {
    const indexes = [...this.#earlyIndexes]
    this.#forgetEarly()
    for (const partition of this.partitions) {
      const given = partition.batches.splice(0)
      if (given.some(mayBeStored)) partition.stale = true
      indexes.push(...given.flatMap(batch => batch.indexes))
    }
    return indexes
  }

  #placeEarly(): number[] {
    const early = this.hasEarly ? this.#early?.finish() : undefined
    if (early === undefined) return []
    const [indexes, partitions] = [this.#earlyIndexes, this.#earlyPartitions]
    const reader = new BatchReader({ maxBytes: 0 })
    reader.open(early)
    this.#forgetEarly()
    const misplaced = indexes.filter(
      (index, at) => reader.next() && this.#place(reader.view, index, partitions[at]) === undefined,
    )
    this.close()
    return misplaced
  }

  /** All of it, so that the records of a partition keep their order. What may be in a log stays where it is (R6). */
  #placeAgain(): number[] {
    const unsent = new Map(
      this.partitions.flatMap(partition => {
        const named = partition.named ? partition.id : undefined
        return partition.takeUnsent().map(batch => [batch, named] as const)
      }),
    )
    const misplaced: number[] = []
    for (const { batch, index, view } of recordsOf([...unsent.keys()])) {
      if (this.#place(view, index, unsent.get(batch)) === undefined) misplaced.push(index)
    }
    this.close()
    return misplaced
  }

  #forgetEarly(): void {
    this.#early = undefined
    this.#earlyIndexes = []
    this.#earlyPartitions = []
  }

  #place(view: RecordView, index: number, named: number | undefined): number | undefined {
    const partition = this.partitions[named ?? this.#choose(view)]
    if (partition === undefined || partition.id >= this.#count) return undefined
    partition.named = named !== undefined
    partition.add(view, index, this.#settings)
    return partition.id
  }

  #choose(view: RecordView): number {
    const { lane, partitionBy, maxBatchBytes } = this.#settings
    if (partitionBy === 'lane') return partitionOfLane(lane, this.#count)
    if (view.keyStart >= 0) return partitionOfKey(view.keyIn, view.keyStart, view.keyEnd, this.#count)
    if (this.partitions[this.#stickyPartition()]?.fits(view, maxBatchBytes) === false) this.#sticky++
    return this.#stickyPartition()
  }

  /** The next partition that has a leader, from the sticky one on. */
  #stickyPartition(): number {
    for (let step = 0; step < this.#count; step++) {
      const id = (this.#sticky + step) % this.#count
      if (this.partitions[id]!.leader >= 0) return id
    }
    return this.#sticky % this.#count
  }
}
