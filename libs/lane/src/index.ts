export type { Filter } from './cursor.ts'
export { deliver, type DeliverCounts, type DeliverOptions } from './deliver.ts'
export type { Delivery, ExpressionInput, LaneWriter, Outcome, Problem, Refusal, Sink, SourceEvents } from './ports.ts'
export { openWriter, type Writer, type WriterCounts, type WriterOptions } from './writer.ts'
