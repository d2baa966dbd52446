/** What became of the records of one delivery, and where that takes the lane. Pure. */
import type { KeptPosition, LaneBatch } from '@millrace/bus'
import type { Aside } from './aside.ts'
import type { Cursor } from './cursor.ts'
import type { Settled } from './ports.ts'

/** Every record of the delivery is in one of these counts (R12). */
export interface Settlement {
  is: 'done'
  out: number
  dead: number
  filtered: number
  /** How many of `filtered` were not sent because their time had passed. */
  expired: number
  /** What is dead, in the lane's order. */
  aside: Aside[]
  /** Where the lane is behind it; without batches, where it was. */
  behind: KeptPosition
}

/** What was delivered, and where the lane was before. */
export interface Delivered {
  batches: readonly LaneBatch[]
  before: KeptPosition
}

/** Reads it from the cursor that the sink has read to its end, and from how the sink ended. */
export function settlementOf(cursor: Cursor, outcome: Settled, { batches, before }: Delivered): Settlement {
  const { expired = 0 } = outcome
  const refusals = outcome.is === 'refused' ? outcome.refusals : []
  const refused = refusals.map(({ index, code, message }) => {
    return { ...cursor.find(index), count: 1, problem: { code, message } }
  })
  const aside = [...cursor.aside, ...refused]
  aside.sort((a, b) => a.batch.sequence - b.batch.sequence || a.record - b.record)
  const out = cursor.given - expired - refused.length
  const dead = aside.reduce((sum, { count }) => sum + count, 0)
  const filtered = cursor.filtered + expired
  const { place, totals } = before
  const { sequence, writer } = batches.at(-1) ?? place
  const behind = {
    place: { sequence, writer },
    totals: { ...totals, out: totals.out + out, dead: totals.dead + dead, filtered: totals.filtered + filtered },
  }
  return { is: 'done', out, dead, filtered, expired, aside, behind }
}
