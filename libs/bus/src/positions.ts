/**
 * A sink's position in its lane (R2, R5, R12): one document of `mr_positions`, written by compare-and-set with the
 * route's uid and the owner's epoch. The coordinator creates it; from then on a missing one is an alarm.
 */
import { Bucket, type Entry } from './kv.ts'
import { type PositionDocument, positionDocument } from './documents.ts'
import { AlarmError, ConflictError, FencedError } from './errors.ts'
import { type LaneName, positionKey } from './names.ts'
import { type Owner, persist } from './persist.ts'

/** How many records of the lane ended in which way, since its beginning. */
export type Totals = PositionDocument['totals']

/** How many records of the lane a position has behind it: what `mr-base` of the next message must be. */
export const recordsBehind = ({ out, dead, filtered, parked }: Totals): number => out + dead + filtered + parked

/** A message of a lane, as a position names it. */
export interface Place {
  /** Its stream sequence; 0 before the first. */
  sequence: number
  /** Its `mr-writer`. Absent before the first, and in positions that earlier versions wrote: then it is not compared. */
  writer?: string | undefined
}

/** A position as it is kept beside the records that it is about, by a sink that can: without uid and epoch. */
export interface KeptPosition {
  place: Place
  totals: Totals
}

const keptPosition = positionDocument.pick({ sequence: true, writer: true, totals: true })

/** As text, of some 150 bytes. */
export function writeKeptPosition({ place: { sequence, writer }, totals }: KeptPosition): string {
  return JSON.stringify({ sequence, ...(writer === undefined ? {} : { writer }), totals })
}

/** From its text. AlarmError `position_unreadable` where that is none of ours. */
export function readKeptPosition(text: string): KeptPosition {
  try {
    const { sequence, writer, totals } = keptPosition.parse(JSON.parse(text))
    return { place: { sequence, writer }, totals }
  } catch {
    throw new AlarmError('position_unreadable', `The sink keeps this as the lane's position: ${text.slice(0, 200)}`)
  }
}

/** Whose position it is. */
export interface PositionOptions extends Owner {
  /** Names the sink's service, not the source's. */
  lane: LaneName
  uid: string
  epoch: number
}

/**
 * Takes the position for this owner: writes its epoch into it, so that an older owner can not commit any more.
 * FencedError where a newer epoch has it, AlarmError where there is none or another route's.
 */
export async function claimPosition(options: PositionOptions): Promise<Position> {
  const bucket = new Bucket(options.bus, 'mr_positions', positionDocument)
  return persist(options, 'mr_positions', async () => {
    for (;;) {
      const { value, revision } = await there(bucket, options)
      const claimed = { ...value, epoch: options.epoch }
      try {
        return new Position(options, bucket, claimed, await bucket.update(positionKey(options.lane), claimed, revision))
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error
      }
    }
  })
}

/** A position that this owner has taken. */
export class Position {
  readonly #options: PositionOptions
  readonly #bucket: Bucket<PositionDocument>
  #document: PositionDocument
  #revision: number

  constructor(
    options: PositionOptions,
    bucket: Bucket<PositionDocument>,
    document: PositionDocument,
    revision: number,
  ) {
    this.#options = options
    this.#bucket = bucket
    this.#document = document
    this.#revision = revision
  }

  /** The last message that was delivered whole. */
  get place(): Place {
    return this.#document
  }

  get totals(): Totals {
    return this.#document.totals
  }

  /** Where the sink keeps the position of which this is a copy; undefined where it never did. */
  get keptIn(): string | undefined {
    return this.#document.keptIn
  }

  /**
   * Moves on, and resolves when that is stored. One commit at a time. FencedError where a newer owner (or a later
   * claim with this epoch) has taken the position, AlarmError, PermissionError, StoppedError.
   */
  async commit({ sequence, writer }: Place, totals: Totals, keptIn = this.keptIn): Promise<void> {
    const { uid, epoch } = this.#options
    const next = {
      uid,
      sequence,
      ...(writer === undefined ? {} : { writer }),
      epoch,
      totals: { ...totals },
      ...(keptIn === undefined ? {} : { keptIn }),
    }
    await persist(this.#options, 'mr_positions', async () => {
      try {
        this.#revision = await this.#bucket.update(positionKey(this.#options.lane), next, this.#revision)
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error
        const { value, revision } = await there(this.#bucket, this.#options)
        // An answer that was lost: what is stored is what was sent.
        if (JSON.stringify(value) !== JSON.stringify(next)) throw fenced(this.#options, value)
        this.#revision = revision
      }
      this.#document = next
    })
  }
}

async function there(bucket: Bucket<PositionDocument>, options: PositionOptions): Promise<Entry<PositionDocument>> {
  const key = positionKey(options.lane)
  const entry = await bucket.read(key)
  if (entry === undefined) throw new AlarmError('position_missing', `mr_positions has no ${key}.`)
  if (entry.value.uid !== options.uid) {
    throw new AlarmError('position_replaced', `${key} in mr_positions belongs to another route of this name.`)
  }
  if (entry.value.epoch > options.epoch) throw fenced(options, entry.value)
  return entry
}

const fenced = ({ lane }: PositionOptions, { epoch }: PositionDocument): FencedError =>
  new FencedError(`The position of ${positionKey(lane)} was taken by an owner with epoch ${epoch}.`)
