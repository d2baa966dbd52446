/** What became of the records of one delivery, and where that takes the lane. Pure. */
import type { KeptPosition, LaneBatch } from '@millrace/bus'
import type { Aside } from './aside.ts'
import type { Cursor } from './cursor.ts'
import type { Settled } from './ports.ts'

/** Every record of the delivery is in one of these counts (R12). */
export interface Settlement {
  out: number
  dead: number
  filtered: number
  /** What is dead, in the lane's order. */
  aside: Aside[]
}

/** Reads it from the cursor that the sink has read to its end, and from how the sink ended. */
export function settlementOf(cursor: Cursor, outcome: Settled): Settlement {
  const { expired = 0 } = outcome
  const refusals = outcome.is === 'refused' ? outcome.refusals : []
  const refused = refusals.map(({ index, code, message }) => {
    return { ...cursor.find(index), count: 1, problem: { code, message } }
  })
  const aside = [...cursor.aside, ...refused]
  aside.sort((a, b) => a.batch.sequence - b.batch.sequence || a.record - b.record)
  return {
    out: cursor.given - expired - refused.length,
    dead: aside.reduce((sum, { count }) => sum + count, 0),
    filtered: cursor.filtered + expired,
    aside,
  }
}

/** Where the lane is behind the delivery; without batches it stays where it is. */
export function behind(
  { place, totals }: KeptPosition,
  batches: readonly LaneBatch[],
  { out, dead, filtered }: Settlement,
): KeptPosition {
  const { sequence, writer } = batches.at(-1) ?? place
  return {
    place: { sequence, writer },
    totals: { ...totals, out: totals.out + out, dead: totals.dead + dead, filtered: totals.filtered + filtered },
  }
}
