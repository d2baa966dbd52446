export type { Delivery, ExpressionInput, LaneWriter, Outcome, Problem, Refusal, Sink, SourceEvents } from './ports.ts'
