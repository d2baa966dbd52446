/**
 * An instance's lease (R11), by its own monotonic clock; milliseconds throughout. Pure: whoever asks brings the time.
 *
 * - It lasts 5 s from when the last heartbeat that was *stored* was *sent*. After 4 s the actors are aborted, so that
 *   they are at rest before the coordinator, which waits 5 s from when it *saw* that heartbeat, gives them away.
 * - A process that did not run for more than a third of it (stopped, swapped out, a blocked event loop) can't know
 *   what has happened meanwhile: it is `suspect` until its assignment has been read again. The monotonic clock stands
 *   still while a machine is suspended or frozen; the wall clock, which jumps, is a hint that it was.
 */
export class Lease {
  static readonly length = 5_000
  static readonly abortAfter = 4_000
  static readonly longestPause = Lease.length / 3

  #heldFrom = -Infinity
  #ticked: number
  /** How far the wall clock is ahead of the monotonic one. */
  #ahead: number
  #suspectSince: number | undefined

  /** `now` by the monotonic clock, `wall` by the wall clock. */
  constructor(now: number, wall: number) {
    this.#ticked = now
    this.#ahead = wall - now
  }

  /** A heartbeat that was sent at `sentAt` has been stored. */
  stored(sentAt: number): void {
    this.#heldFrom = Math.max(this.#heldFrom, sentAt)
  }

  /** The event loop turns: to be called several times in `longestPause`. True when it has not for longer than that. */
  tick(now: number, wall: number): boolean {
    const jumped = wall - now - this.#ahead > Lease.longestPause
    const stoodStill = now - this.#ticked > Lease.longestPause || jumped
    this.#ahead = wall - now
    if (stoodStill) this.#suspectSince = now
    this.#ticked = now
    return stoodStill
  }

  /** An assignment that was asked for at `askedAt` has been read: what happened before then is known. */
  checked(askedAt: number): void {
    if (this.#suspectSince !== undefined && askedAt >= this.#suspectSince) this.#suspectSince = undefined
  }

  /** Whether actors may go on at all. */
  held(now: number): boolean {
    return now - this.#heldFrom < Lease.abortAfter
  }

  /** Whether an actor may write or connect without anything being read first. */
  fresh(now: number): boolean {
    return this.#suspectSince === undefined && now - this.#ticked <= Lease.longestPause && this.held(now)
  }
}
