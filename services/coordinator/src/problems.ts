/** What stands in the way of routes. One route's trouble stops no other, and never the coordinator. */
import { AlarmError, type Problem } from '@millrace/bus'
import { JetStreamApiError } from '@nats-io/jetstream'

/** A problem, and the route that has it. */
export interface RouteProblem extends Problem {
  route: string
}

/** The problems that there are now, by route and by what was attempted. */
export class RouteProblems {
  readonly #problems = new Map<string, RouteProblem>()

  /** The problems, oldest first. */
  get all(): RouteProblem[] {
    return [...this.#problems.values()]
  }

  /**
   * Does something for a route. What the bus refuses (AlarmError, JetStreamApiError) is noted until the same thing has
   * been done, and makes the result undefined; all else is thrown.
   */
  async attempt<T>(route: string, what: string, step: () => Promise<T>): Promise<T | undefined> {
    const key = `${route} ${what}`
    try {
      const result = await step()
      this.#problems.delete(key)
      return result
    } catch (error) {
      if (!(error instanceof AlarmError || error instanceof JetStreamApiError)) throw error
      const code = error instanceof AlarmError ? error.code : 'stream_refused'
      this.#problems.set(key, { route, code, message: `Route ${route}: ${what}: ${error.message}` })
      return undefined
    }
  }

  /** Forgets the routes that are gone. */
  keepOnly(routes: ReadonlySet<string>): void {
    for (const [key, { route }] of this.#problems) if (!routes.has(route)) this.#problems.delete(key)
  }
}
