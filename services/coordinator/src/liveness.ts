/**
 * Which instances live, judged only by heartbeats that were seen and the leader's own monotonic clock (ARCHITECTURE.md 7).
 *
 *   unknown --(its heartbeat changes)--> live --(5 s without a change)--> lost --(its heartbeat changes)--> live
 *   unknown --(5 s)--> lost
 *
 * `unknown` is a heartbeat that was found, rather than seen to change: its process may have died long ago. And while we
 * are patient, silence makes an instance unknown, not lost: it was we who could not hear, or had only begun to listen.
 *
 * A watch may be late. So before anyone is called lost, the heartbeats of all who are `silent` are read from the bucket:
 * what is not there now was not stored in time, and R11 has ended what that instance ran.
 */

/** Whether an instance lives, as far as can be told. */
export type Presence = 'unknown' | 'live' | 'lost'

/** Milliseconds without a heartbeat after which an instance is lost: its lease (R11). */
const lease = 5_000

interface Sign {
  startId: string
  beat: number
  at: number
  changed: boolean
}

/** Remembers when each instance's heartbeat was last seen to change. Times are milliseconds of a monotonic clock. */
export class Liveness {
  readonly #signs = new Map<string, Sign>()
  #patientUntil = 0

  /** A heartbeat was read. One that says the same as before is no sign of life. */
  heard(key: string, { startId, beat }: { startId: string; beat: number }, now: number): void {
    const last = this.#signs.get(key)
    if (last?.startId === startId && last.beat === beat) return
    this.#signs.set(key, { startId, beat, at: now, changed: last !== undefined })
  }

  /** Nobody is called lost for silence in the next lease: after an election, and after a reconnect. */
  bePatient(now: number): void {
    this.#patientUntil = now + lease
  }

  /** How the instance is; one that was never heard of is silent. */
  presence(key: string, now: number): Presence {
    const sign = this.#signs.get(key)
    if (sign === undefined || now >= sign.at + lease) return now < this.#patientUntil ? 'unknown' : 'lost'
    return sign.changed ? 'live' : 'unknown'
  }

  /** Who has not been heard for so many milliseconds: a lease, unless told. */
  silent(now: number, since = lease): string[] {
    return [...this.#signs].filter(([, sign]) => now >= sign.at + since).map(([key]) => key)
  }

  /** Its heartbeat was deleted. */
  forget(key: string): void {
    this.#signs.delete(key)
  }
}
