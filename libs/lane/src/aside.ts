import type { LaneBatch } from '@millrace/bus'
import type { Problem } from './ports.ts'

/** Something of the delivery that can never pass: one record, or what is left of a message that can't be decoded. */
export interface Aside {
  batch: LaneBatch
  /** What is left, where it can't be decoded: from the record batch on that is the first bad one. */
  rest?: Buffer
  /** Counted from the batch's first record. */
  record: number
  /** Records that it stands for. */
  count: number
  problem: Problem
}
