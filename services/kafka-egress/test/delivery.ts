/** Deliveries made by hand, for tests that need no lane. */
import type { Delivery, ExpressionInput } from '@millrace/lane'
import { emptyView, type Record, type RecordView, viewOf } from '@millrace/record'

/** A record with a value, a key where one is given, and a source topic in its headers' stead. */
export interface Given {
  value: string
  key?: string
  topic?: string
  headers?: Record['headers']
}

/** A cursor over records. */
export class GivenDelivery implements Delivery {
  readonly view: RecordView = emptyView()
  input: ExpressionInput = inputOf({ value: '' })
  readonly #records: readonly Given[]
  #at = 0

  constructor(records: readonly Given[]) {
    this.#records = records
  }

  next(): boolean {
    const given = this.#records[this.#at++]
    if (given === undefined) return false
    const { key, value, headers = [] } = given
    const record = { timestamp: 1_700_000_000_000, key: key === undefined ? null : Buffer.from(key), headers }
    viewOf({ ...record, value: Buffer.from(value) }, this.view)
    this.input = inputOf(given)
    return true
  }
}

function inputOf({ key, value, topic, headers = [] }: Given): ExpressionInput {
  return {
    key: key ?? null,
    value,
    header: wanted => headers.find(([name]) => name === wanted)?.[1]?.toString() ?? null,
    time: 1_700_000_000_000,
    topic: topic ?? null,
    partition: null,
    offset: null,
    device: null,
  }
}
