/** One message of one publisher: publishers count theirs from 0, without a gap. */
export interface Numbered {
  readonly publisher: string
  readonly number: number
}

/** A message that came for the first time after one with a higher number had come. */
export interface Late extends Numbered {
  /** The highest number of its publisher that had come before. */
  readonly after: number
  /** Where it was found, if `delivered` was told. */
  readonly place: string | undefined
}

/** What a ledger found. */
export interface LedgerReport {
  /** How many messages were acknowledged to their publishers. */
  readonly acknowledged: number
  /** How many different messages arrived. */
  readonly delivered: number
  /** Acknowledged, and never arrived. */
  readonly lost: readonly Numbered[]
  /** Over first arrivals, each publisher by itself. */
  readonly outOfOrder: readonly Late[]
  /** How many arrivals were of a message that had arrived before. */
  readonly duplicates: number
  /** Arrived, though nobody was told that they were safe: allowed, for an acknowledgement can be lost. */
  readonly unacknowledgedButDelivered: number
}

const acknowledgedFlag = 1
const deliveredFlag = 2

/** What is known of one publisher: a byte of flags a message. */
interface Page {
  flags: Uint8Array
  highest: number
}

/**
 * Checks what senders were told against what arrived: nothing lost, order kept, duplicates counted.
 * Takes a byte a message, so that it can follow millions.
 */
export class Ledger {
  readonly #pages = new Map<string, Page>()
  readonly #late: Late[] = []
  #duplicates = 0

  /** The publisher was told that this message is safe. */
  acknowledged(publisher: string, number: number): void {
    mark(this.#page(publisher), number, acknowledgedFlag)
  }

  /** The message arrived; `place` (a partition and an offset) is kept for the report of those that came late. */
  delivered(publisher: string, number: number, place?: string): void {
    const page = this.#page(publisher)
    if (!mark(page, number, deliveredFlag)) {
      this.#duplicates++
    } else if (number < page.highest) {
      this.#late.push({ publisher, number, after: page.highest, place })
    } else {
      page.highest = number
    }
  }

  /** What can be said by now. */
  report(): LedgerReport {
    let [acknowledged, delivered, unacknowledgedButDelivered] = [0, 0, 0]
    const lost: Numbered[] = []
    for (const [publisher, { flags }] of this.#pages) {
      for (const [number, flag] of flags.entries()) {
        if (flag & acknowledgedFlag) acknowledged++
        if (flag & deliveredFlag) delivered++
        if (flag === acknowledgedFlag) lost.push({ publisher, number })
        if (flag === deliveredFlag) unacknowledgedButDelivered++
      }
    }
    const duplicates = this.#duplicates
    return { acknowledged, delivered, lost, outOfOrder: [...this.#late], duplicates, unacknowledgedButDelivered }
  }

  #page(publisher: string): Page {
    let page = this.#pages.get(publisher)
    if (page === undefined) {
      page = { flags: new Uint8Array(1024), highest: -1 }
      this.#pages.set(publisher, page)
    }
    return page
  }
}

/** Sets a flag of a message; false if it was set already. */
function mark(page: Page, number: number, flag: number): boolean {
  if (!Number.isSafeInteger(number) || number < 0) throw new RangeError(`a message's number can't be ${number}`)
  if (number >= page.flags.length) {
    const larger = new Uint8Array(Math.max(number + 1, page.flags.length * 2))
    larger.set(page.flags)
    page.flags = larger
  }
  const before = page.flags[number] ?? 0
  page.flags[number] = before | flag
  return (before & flag) === 0
}
