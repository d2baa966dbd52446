export type { Filter } from './cursor.ts'
export { deliver, type DeliverCounts, type DeliverOptions } from './deliver.ts'
export type { Recovery, TransactionalSink } from './exactly-once.ts'
export { type Passage, pathThrough, type RoutePath } from './path.ts'
export type {
  Delivery,
  ExpressionInput,
  LaneWriter,
  Made,
  Outcome,
  Problem,
  Refusal,
  Sink,
  SourceEvents,
} from './ports.ts'
export { type Sample, samplesPerMessage, Tap } from './tap.ts'
export { openWriter, type Writer, type WriterCounts, type WriterOptions } from './writer.ts'
