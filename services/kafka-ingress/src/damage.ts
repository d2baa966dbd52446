/** Bytes that do not fit their checksum are fetched so often, before they are taken for what the log holds. */
const mostReads = 3

/** Counts how often the batch that can't be read was fetched. */
export class Damage {
  #offset = -1n
  #reads = 0

  /** The batch at this offset could not be read; whether it may come whole if it is fetched again. */
  mayPass(offset: bigint): boolean {
    this.#reads = this.#offset === offset ? this.#reads + 1 : 1
    this.#offset = offset
    return this.#reads < mostReads
  }
}
