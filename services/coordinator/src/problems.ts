/** What stands in the way of routes. One route's trouble stops no other, and never the coordinator. */
import { AlarmError, type Problem } from '@millrace/bus'
import { JetStreamApiError } from '@nats-io/jetstream'

/** What has a problem: a route, or one lane of it. */
export interface Place {
  route: string
  lane?: string
}

/** A problem, and what has it. */
export type RouteProblem = Problem & Place

/** The problems that there are now, by their place and by what was attempted. */
export class RouteProblems {
  readonly #problems = new Map<string, RouteProblem>()

  /** The problems, oldest first. */
  get all(): RouteProblem[] {
    return [...this.#problems.values()]
  }

  /**
   * Does something for a route, or for a lane. What the bus refuses (AlarmError, JetStreamApiError) is noted until the
   * same thing has been done, and makes the result undefined; all else is thrown.
   */
  async attempt<T>(place: Place, what: string, step: () => Promise<T>): Promise<T | undefined> {
    const doing = place.lane === undefined ? what : `${what} lane ${place.lane}`
    const key = `${place.route} ${doing}`
    try {
      const result = await step()
      this.#problems.delete(key)
      return result
    } catch (error) {
      if (!(error instanceof AlarmError || error instanceof JetStreamApiError)) throw error
      const code = error instanceof AlarmError ? error.code : 'stream_refused'
      this.#problems.set(key, { ...place, code, message: `Route ${place.route}: ${doing}: ${error.message}` })
      return undefined
    }
  }

  /** Forgets those of what is gone. */
  keepOnly(isThere: (place: Place) => boolean): void {
    for (const [key, problem] of this.#problems) if (!isThere(problem)) this.#problems.delete(key)
  }
}
