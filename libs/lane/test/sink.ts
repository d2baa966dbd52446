import type { Delivery, Outcome, Problem, Sink } from '../src/index.ts'
import { valueOf } from './records.ts'

export const done: Outcome = { is: 'done' }
export const busy: Problem = { code: 'broker_unreachable', message: 'Not now.' }

/** A sink that says what it was given, and answers as it is told: `done` where it is told nothing. */
export class TestSink {
  readonly deliveries: string[][] = []
  readonly answers: (Outcome | Error | Promise<Outcome>)[] = []
  again = 0
  closed = 0
  readonly port: Sink = {
    write: (delivery: Delivery) => {
      const values: string[] = []
      while (delivery.next()) values.push(valueOf(delivery.view))
      this.deliveries.push(values)
      return this.#answer()
    },
    again: () => {
      this.again++
      return this.#answer()
    },
    close: async () => {
      this.closed++
    },
  }

  get values(): string[] {
    return this.deliveries.flat()
  }

  async #answer(): Promise<Outcome> {
    const answer = this.answers.shift() ?? done
    if (answer instanceof Error) throw answer
    return answer
  }
}
