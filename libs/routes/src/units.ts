/** Durations and sizes as users write them: a whole number and its unit, nothing between (`5ms`, `7d`, `1GiB`). */

const durations = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const sizes = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

/** Milliseconds of `5ms`, `30s`, `10m`, `12h` or `7d`; undefined where the text is anything else, or above 2^53 ms. */
export const parseDuration = (text: string): number | undefined => parse(text, durations)

/** Bytes of `512B`, `64KiB`, `256MiB`, `1GiB` or `2TiB`; undefined where the text is anything else, or above 2^53. */
export const parseSize = (text: string): number | undefined => parse(text, sizes)

/** The shortest text that `parseDuration` reads as these milliseconds. */
export const formatDuration = (milliseconds: number): string => format(milliseconds, durations)

/** The shortest text that `parseSize` reads as these bytes. */
export const formatSize = (bytes: number): string => format(bytes, sizes)

function parse(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits, unit] = /^(\d{1,16})([A-Za-z]{1,3})$/.exec(text) ?? []
  if (digits === undefined || unit === undefined || !Object.hasOwn(units, unit)) return undefined
  const value = Number(digits) * (units[unit] ?? Number.NaN)
  // Two numbers that round to one are no number that the user wrote.
  return Number.isSafeInteger(value) ? value : undefined
}

function format(value: number, units: Readonly<Record<string, number>>): string {
  const fitting = Object.entries(units).filter(([, factor]) => value % factor === 0 && value >= factor)
  const [unit, factor] = fitting.at(-1) ?? Object.entries(units)[0] ?? ['', 1]
  return `${value / factor}${unit}`
}
