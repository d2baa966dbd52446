/**
 * How many actors each instance should run, and which instance an actor should go to.
 *
 * 1. Balanced: two instances of a service differ by at most one actor.
 * 2. Sticky: the instances that hold most keep the larger shares, so no more actors move than balance needs.
 * 3. Deterministic: ties are broken by name.
 * 4. Bounded: what an instance runs must fit into one document, and so must what it says of it, every second.
 */

/** So many actors an instance has at most: named by the longest topics, they take 0.8 of the 1 MiB of a document. */
export const mostActors = 1_000

/** Who holds an actor, in one service: actor id to the instance's key. */
export type Holders = ReadonlyMap<string, string>

/**
 * How many each seat should hold when `total` actors are shared out, given how many each holds now: the same for all,
 * and one more for those that hold most. What is beyond the bound of all of them is left out.
 */
function quotas(held: ReadonlyMap<string, number>, total: number): Map<string, number> {
  const most = [...held].sort(([a, m], [b, n]) => n - m || compare(a, b))
  const shared = Math.min(total, mostActors * most.length)
  const each = Math.floor(shared / most.length)
  const larger = shared % most.length
  return new Map(most.map(([key], rank) => [key, rank < larger ? each + 1 : each]))
}

/**
 * Shares out the actors `ids` of one service among its instances `seats`. The result names those that are placed: whoever holds an actor keeps it as far
 * as its quota goes (the first in `ids` stay), what is free goes where most room is. An actor that nobody may be given
 * yet (`mayGo`) is left out, and its room kept.
 */
export function share(
  ids: readonly string[],
  seats: readonly string[],
  held: Holders,
  mayGo: (id: string, to: string) => boolean,
): Map<string, string> {
  const rows = new Map(seats.map(key => [key, ids.filter(id => held.get(id) === key)]))
  const quota = quotas(new Map([...rows].map(([key, row]) => [key, row.length])), ids.length)
  const room = new Map<string, number>()
  const placed = new Map<string, string>()
  for (const [key, row] of rows) {
    const keeps = quota.get(key) ?? 0
    for (const id of row.slice(0, keeps)) placed.set(id, key)
    room.set(key, keeps - Math.min(keeps, row.length))
  }
  for (const id of ids.filter(id => !rows.has(held.get(id) ?? ''))) {
    const open = seats.filter(key => (room.get(key) ?? 0) > 0 && mayGo(id, key))
    const to = open.sort((a, b) => (room.get(b) ?? 0) - (room.get(a) ?? 0) || compare(a, b))[0]
    if (to === undefined) continue
    placed.set(id, to)
    room.set(to, (room.get(to) ?? 0) - 1)
  }
  return placed
}

/** The order of names, the same on every machine. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
