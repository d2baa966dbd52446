/** Messages that are told apart by their payloads: numbers in their order. */
import type { Message } from './rig.ts'

export const numbered = (from: number, to: number, topic = 't/1'): Message[] =>
  Array.from({ length: to - from + 1 }, (_, n) => [topic, `${from + n}`])

/** Their payloads. */
export const numbers = (from: number, to: number): string[] => numbered(from, to).map(([, payload]) => String(payload))

/** In the order of first arrival, each once. */
export const firsts = (values: string[]): string[] => [...new Set(values)]
