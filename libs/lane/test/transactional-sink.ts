import type { RecordView } from '@millrace/record'
import type { Delivery, Outcome, Recovery, TransactionalSink } from '../src/index.ts'
import { busy } from './sink.ts'
import { valueOf } from './records.ts'

/**
 * How a call ends. `lost`: done, and the answer never comes. `late`: the same of a commit that is still on its way: it is
 * done when the sink is next asked, unless that shuts it out.
 */
export type Fate = 'done' | 'hold' | 'unknown' | 'lost' | 'late'

/** A sink with transactions, as brokers keep them. Each call has the next fate; then all is done. */
export class ModelSink implements TransactionalSink {
  /** What counts, and the position that was committed with it. */
  readonly values: string[] = []
  position: string | undefined
  readonly calls: string[] = []
  readonly fates: Fate[] = []
  /** Called before each commit. */
  beforeCommit: () => void | Promise<void> = () => {}
  /** These records can never pass. */
  refused: (view: RecordView) => boolean = () => false
  closed = 0
  keptIn = 'here'
  /** What was committed in other places. */
  readonly elsewhere = new Map<string, string>()
  #written: string[] = []
  #onItsWay: (() => void) | undefined

  async recover(): Promise<Recovery> {
    const fate = this.#next('recover')
    if (fate === 'hold') return { is: 'hold', problem: busy }
    // Whatever was on its way comes in now or never.
    if (fate === 'late') this.#onItsWay?.()
    this.#onItsWay = undefined
    this.#written = []
    if (fate === 'done' || fate === 'late') return { is: 'done', position: this.position }
    return { is: 'unknown', problem: busy }
  }

  async positionIn(place: string): Promise<Recovery> {
    const fate = this.#next('positionIn')
    return fate === 'done' ? { is: 'done', position: this.elsewhere.get(place) } : { is: 'unknown', problem: busy }
  }

  async write(delivery: Delivery): Promise<Outcome> {
    const refusals = []
    for (let index = 0; delivery.next(); index++) {
      if (this.refused(delivery.view)) refusals.push({ ...busy, index })
      else {
        this.#written.push(valueOf(delivery.view))
        delivery.tap?.(() => ({ to: { topic: 'there' } }))
      }
    }
    const fate = this.#next('write')
    if (fate === 'hold') return { is: 'hold', problem: busy }
    if (fate !== 'done') return { is: 'unknown', problem: busy }
    return refusals.length === 0 ? { is: 'done' } : { is: 'refused', refusals }
  }

  async commit({ text }: { text: string; records: number }): Promise<Outcome> {
    await this.beforeCommit()
    const fate = this.#next('commit')
    const written = this.#written.splice(0)
    const commit = () => {
      this.values.push(...written)
      this.position = text
    }
    if (fate === 'late') this.#onItsWay = commit
    if (fate === 'done' || fate === 'lost') commit()
    if (fate === 'done') return { is: 'done' }
    return { is: fate === 'hold' ? 'hold' : 'unknown', problem: busy }
  }

  async close(): Promise<void> {
    this.closed++
  }

  #next(call: string): Fate {
    this.calls.push(call)
    return this.fates.shift() ?? 'done'
  }
}
