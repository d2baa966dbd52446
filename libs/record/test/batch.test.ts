import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchBuilder, BatchReader, type Record, recordOf, viewOf } from '../src/index.ts'
import { records } from './arbitrary.ts'

function build(all: Record[]): BatchBuilder {
  const builder = new BatchBuilder()
  for (const record of all) builder.add(viewOf(record))
  return builder
}

function read(batch: Buffer): Record[] {
  const reader = new BatchReader({ maxBytes: 1 << 20 })
  reader.open(batch)
  const all: Record[] = []
  while (reader.next()) all.push(recordOf(reader.view))
  return all
}

test('any records come back as they were, with every codec', () => {
  fc.assert(
    fc.property(records, fc.constantFrom('none', 'gzip', 'zstd'), (all, compression) => {
      expect(read(build(all).finish({ compression }))).toEqual(all)
    }),
  )
})
