/**
 * The coordinators of a fake broker: transactions and one group's offset, by Kafka's own rules, and what a real one can't
 * be made to do on cue: lose an answer, or do what it was asked only later.
 */
import type { Reader, Writer } from '../src/wire.ts'
import { type FakeBroker, valuesOf } from './fake-broker.ts'

/**
 * What becomes of a request. `drop`: never done. `lost`: done. `late`: done when the next one comes, `later`: behind that.
 * All of these without an answer, and the connection is cut. A number is an error.
 */
export type Fate = 'drop' | 'lost' | 'late' | 'later' | number | undefined

const errors = { fenced: 47, invalidState: 48 }
/** What clients know of the producer. */
const producerId = 7n

export class FakeTransactions {
  /** By the API's name: the next requests' fates. */
  readonly fates = new Map<string, Fate[]>()
  /** The group's offset as committed. */
  offset: { offset: bigint; metadata: string } | undefined
  readonly #broker: FakeBroker
  #state: 'ended' | 'open' = 'ended'
  #epoch = -1
  /** Of each partition in the transaction: how many batches it had before. */
  readonly #partitions = new Map<string, number>()
  readonly #pending: { offset: bigint; metadata: string }[] = []
  /** Batches that were aborted. */
  readonly #aborted = new Set<Buffer>()
  readonly #late: (() => unknown)[] = []
  readonly #later: (() => unknown)[] = []

  constructor(broker: FakeBroker) {
    this.#broker = broker
    broker.script = this.check
    this.#answer('InitProducerId', () => this.#init())
    this.#answer('AddPartitionsToTxn', from => this.#add(from))
    this.#answer('AddOffsetsToTxn', from => {
      const epoch = epochIn(from)
      return to => to.int32(0).int16(this.#begin(epoch))
    })
    this.#answer('TxnOffsetCommit', from => this.#keep(from))
    this.#answer('EndTxn', from => {
      const [epoch, commit] = [epochIn(from), from.int8() === 1]
      return to => to.int32(0).int16(this.#end(epoch, commit))
    })
    this.#answer('OffsetFetch', () => to => this.#tell(to))
  }

  /** A broker's check of a batch: its partition must be in the transaction. */
  readonly check: FakeBroker['script'] = ({ topic, partition }) =>
    this.#partitions.has(`${topic}/${partition}`) ? undefined : { error: errors.invalidState }

  /** What the next requests of an API meet. */
  next(api: string, ...fates: Fate[]): void {
    this.fates.set(api, fates)
  }

  /** What a reader of committed records sees of a partition, once nothing is open. */
  values(topic: string, partition = 0): string[] {
    const batches = this.#broker.logs.get(topic)?.[partition]?.batches ?? []
    const open = this.#partitions.get(`${topic}/${partition}`) ?? batches.length
    return batches.filter((batch, at) => at < open && !this.#aborted.has(batch)).flatMap(valuesOf)
  }

  /** `read` takes what it needs of the request; what it returns does it, and answers. */
  #answer(api: string, read: (from: Reader) => (to: Writer) => unknown): void {
    this.#broker.answers.set(api, (from, to) => {
      for (const late of this.#late.splice(0, this.#late.length, ...this.#later.splice(0))) late()
      const act = read(from)
      const fate = this.fates.get(api)?.shift()
      if (typeof fate === 'number') {
        refuse(api, fate, to)
        return undefined
      }
      if (fate === 'late') this.#late.push(() => act(to))
      if (fate === 'later') this.#later.push(() => act(to))
      if (fate === 'lost' || fate === undefined) act(to)
      return fate === undefined ? undefined : 'cut'
    })
  }

  #init(): (to: Writer) => unknown {
    return to => {
      if (this.#state === 'open') this.#close(false)
      // Its markers have raised the epoch in the partitions; what is on its way under the old one is refused.
      this.#epoch++
      to.noTags().int32(0).int16(0).int64(producerId).int16(this.#epoch).noTags()
    }
  }

  #add(from: Reader): (to: Writer) => unknown {
    const epoch = epochIn(from)
    const topics = from.array(() => ({ topic: from.string(), partitions: from.array(() => from.int32()) }))
    return to => {
      const error = this.#begin(epoch)
      to.int32(0).array(topics, ({ topic, partitions }) => {
        to.string(topic).array(partitions, id => {
          const log = this.#broker.logs.get(topic)?.[id]
          const place = `${topic}/${id}`
          if (error === 0 && log !== undefined && !this.#partitions.has(place)) {
            this.#partitions.set(place, log.batches.length)
          }
          to.int32(id).int16(log === undefined ? 3 : error)
        })
      })
    }
  }

  #keep(from: Reader): (to: Writer) => unknown {
    from.string()
    from.string()
    from.int64()
    const epoch = from.int16()
    const kept = from.array(() => {
      const topic = from.string()
      return from.array(() => {
        from.int32()
        const offset = from.int64()
        from.int32()
        return { topic, offset, metadata: from.string() }
      })
    })
    return to => {
      const known = kept.flat().every(({ topic }) => this.#broker.logs.has(topic))
      const error = !known ? 3 : epoch === this.#epoch ? 0 : errors.fenced
      if (error === 0) this.#pending.push(...kept.flat().map(({ offset, metadata }) => ({ offset, metadata })))
      to.int32(0).array(kept, () => to.string('t').array([0], id => to.int32(id).int16(error)))
    }
  }

  #tell(to: Writer): void {
    const { offset, metadata } = this.offset ?? { offset: -1n, metadata: '' }
    // Flexible: lengths are one more than they are, and structures end with no tags.
    to.noTags().int32(0).int8(2).compactString('t').int8(2)
    to.int32(0).int64(offset).int32(-1).compactString(metadata).int16(0).noTags().noTags().int16(0).noTags()
  }

  #begin(epoch: number): number {
    if (epoch !== this.#epoch) return errors.fenced
    this.#state = 'open'
    return 0
  }

  #end(epoch: number, commit: boolean): number {
    if (epoch !== this.#epoch) return errors.fenced
    if (this.#state !== 'open') return errors.invalidState
    this.#close(commit)
    return 0
  }

  #close(commit: boolean): void {
    if (commit) this.offset = this.#pending.at(-1) ?? this.offset
    else {
      for (const [place, before] of this.#partitions) {
        const [topic = '', id] = place.split('/')
        const batches = this.#broker.logs.get(topic)?.[Number(id)]?.batches ?? []
        for (const batch of batches.slice(before)) this.#aborted.add(batch)
      }
    }
    this.#state = 'ended'
    this.#partitions.clear()
    this.#pending.splice(0)
  }
}

function epochIn(from: Reader): number {
  from.string()
  from.int64()
  return from.int16()
}

/** An answer that says nothing but the error. */
function refuse(api: string, error: number, to: Writer): void {
  const where = api === 'AddPartitionsToTxn' || api === 'TxnOffsetCommit'
  if (api === 'InitProducerId') to.noTags().int32(0).int16(error).int64(-1n).int16(-1).noTags()
  else if (api === 'OffsetFetch') to.noTags().int32(0).int8(1).int16(error).noTags()
  else if (where) to.int32(0).array(['t'], topic => to.string(topic).array([0], id => to.int32(id).int16(error)))
  else to.int32(0).int16(error)
}
