import { type LaneAppender, type LaneName, openLane } from '@millrace/bus'
import { BatchBuilder, type Record, viewOf } from '@millrace/record'
import type { Installation } from './installation.ts'

/** A lane that a source service writes. */
type SourceLane = LaneName & { service: 'mqtt-ingress' | 'kafka-ingress' }

/** The source's end of a lane, in whose stead a test writes. */
export class LaneSource {
  readonly #appender: LaneAppender

  private constructor(appender: LaneAppender) {
    this.#appender = appender
  }

  /** Opens a lane that is new. `source` is what all of its messages say of theirs. */
  static async open(installation: Installation, lane: SourceLane, source?: object): Promise<LaneSource> {
    const bus = await installation.connect(lane.service)
    const place = { lane, uid: lane.route.toUpperCase(), epoch: 1 }
    const options = { bus, ...place, signal: installation.signal, start: () => '', tell() {} }
    return new LaneSource(await openLane({ ...options, ...(source && { source: JSON.stringify(source) }) }))
  }

  /** Appends one batch, of records or of values; the key of a value is what is before its colon. */
  async append(values: readonly (string | Partial<Record>)[]): Promise<void> {
    const builder = new BatchBuilder()
    for (const value of values) {
      const fields =
        typeof value === 'string' ? { key: Buffer.from(value.split(':')[0] ?? ''), value: Buffer.from(value) } : value
      builder.add(viewOf({ timestamp: 1_700_000_000_000, key: null, value: null, headers: [], ...fields }))
    }
    await this.#appender.append({ payload: builder.finish(), count: values.length, position: 'p' })
  }
}
