/**
 * The words that the schemas of documents are written in. Each says in a user's terms what was expected, and none
 * coerces: a number is no text, `yes` is no boolean. None repeats what the user wrote, except names from a closed set:
 * a secret that landed in the wrong field must not come out in a message.
 */
import { z } from 'zod'
import { nearest } from './nearest.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts'

/** What a problem is told with, beside its message; carried in a zod issue's `params`. */
export interface IssueDetail {
  code: string
  hint?: string | undefined
  /** Where inside a text value, in UTF-16 units. */
  offset?: number | undefined
}

/** What zod hands to a check. */
export interface Checked<T> {
  value: T
  issues: z.core.$ZodRawIssue[]
}

/** Tells of a problem in a checked value; `path` leads from it to the field. */
export function tell<T>(checked: Checked<T>, message: string, detail: IssueDetail & { path?: PropertyKey[] }): void {
  const { path, ...params } = detail
  checked.issues.push({ code: 'custom', input: checked.value, message, params, path: path ?? [], continue: true })
}

/**
 * A map of exactly these fields. The message about unknown ones is the list of the known: see `findingsOf`. `sentence`
 * tells what was expected of what is no map.
 */
export function fields<Shape extends z.core.$ZodShape>(
  shape: Shape,
  sentence?: string,
): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape).join(', ')
  const error = sentence === undefined ? expected('a map of fields').error : () => sentence
  return z.strictObject(shape, { error: issue => (issue.code === 'unrecognized_keys' ? known : error(issue)) })
}

/** A map that holds exactly one of these fields. */
export function exactlyOne<Shape extends z.core.$ZodShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape)
  return fields(shape).check(checked => {
    const given = Object.values(checked.value).filter(value => value !== undefined)
    if (given.length === 1) return
    tell(checked, `exactly one of these must stand here: ${known.join(', ')}`, { code: 'exactly_one' })
  })
}

/** A map from names that the user chooses. */
export const record = <T extends z.core.SomeType>(value: T): z.ZodRecord<z.ZodString, T> =>
  z.record(z.string(), value, expected('a map'))

/** A list of at least one. */
export const list = <T extends z.core.SomeType>(item: T): z.ZodArray<T> =>
  z.array(item, expected('a list')).min(1, 'the list is empty').max(1000, 'the list is longer than 1,000')

/** Text that is not empty. */
export const text = (): z.ZodString => z.string(expected('text')).min(1, 'the text is empty')

/** `true` or `false`; YAML 1.2 knows no `yes`. */
export const flag = (): z.ZodBoolean => z.boolean(expected('true or false'))

/** A whole number within bounds. */
export function integer(least: number, most: number): z.ZodNumber {
  const sentence = `expected a whole number from ${least} to ${most}`
  return z.number(sentence).refine(value => Number.isInteger(value) && value >= least && value <= most, sentence)
}

/** What an end of a route is called once read: the protocol is not written, for the connection that is named says it. */
export function spoken<P extends string, T extends object>(
  protocol: P,
  schema: z.ZodType<T>,
): z.ZodType<T & { protocol: P }> {
  return z.codec(schema, z.custom<T & { protocol: P }>(), {
    decode: written => ({ protocol, ...written }),
    encode(read) {
      const written = { ...read }
      Reflect.deleteProperty(written, 'protocol')
      return written
    },
  })
}

/** One value of a closed set. */
export function oneOf<const T extends string | number | boolean>(...values: T[]): z.ZodLiteral<T> {
  return z.literal(values, { error: ({ input }) => expectedOneOf(values, input) })
}

/** The message for what is not in a closed set. */
export function expectedOneOf(values: readonly (string | number | boolean)[], input: unknown): string {
  const sentence = `expected one of ${[...new Set(values.map(String))].join(', ')}`
  if (input === undefined) return `missing; ${sentence}`
  if (typeof input !== 'string') return sentence
  const bare = values.find(value => typeof value !== 'string' && String(value) === input)
  return sentence + (bare === undefined ? meant(input, values.map(String)) : `; write ${bare} without quotes`)
}

/** The name of a connection or a route: a DNS label, so that it fits every system it gets to. */
export const name = (): z.ZodString =>
  z.string(expected('a name')).regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, nameRule)

/** The name of a secret: one segment of a path, as Kubernetes writes them. */
export const secretName = (): z.ZodString =>
  z.string(expected("a secret's name")).regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, {
    error: `expected a secret's name: lower-case letters, digits, - and .; the secret itself never stands in a document`,
  })

/** A host's name, or an address. */
export const hostName = (): z.ZodString =>
  z.string(expected('a host name')).regex(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$/, 'expected a host name')

const nameRule = 'expected a name: at most 63 of lower-case letters, digits and -, a letter or digit at both ends'

interface Unit {
  parse: (value: string) => number | undefined
  format: (value: number) => string
  /** For the message: what is expected. */
  example: string
}

/** Bounds, and a step that the value must be a multiple of; each written with its unit. */
export interface Bounds {
  atLeast: string
  atMost: string
  step?: string
}

/** A duration with its unit; milliseconds once read. */
export const duration = (bounds: Bounds): z.ZodCodec<z.ZodString, z.ZodNumber> =>
  quantity(
    { parse: parseDuration, format: formatDuration, example: 'a duration such as 500ms, 30s, 10m, 12h or 7d' },
    bounds,
  )

/** A size with its unit; bytes once read. */
export const size = (bounds: Bounds): z.ZodCodec<z.ZodString, z.ZodNumber> =>
  quantity({ parse: parseSize, format: formatSize, example: 'a size such as 512B, 64KiB, 256MiB or 1GiB' }, bounds)

function quantity(unit: Unit, bounds: Bounds): z.ZodCodec<z.ZodString, z.ZodNumber> {
  const least = unit.parse(bounds.atLeast) ?? 0
  const most = unit.parse(bounds.atMost) ?? 0
  const step = unit.parse(bounds.step ?? '') ?? 1
  const sentence = `expected ${unit.example}`
  const range = `expected from ${bounds.atLeast} to ${bounds.atMost}${bounds.step ? `, in steps of ${bounds.step}` : ''}`
  const fits = (value: number) => value >= least && value <= most && value % step === 0
  return z.codec(z.string(sentence), z.number().refine(fits, range), {
    decode(written, context) {
      const value = unit.parse(written)
      if (value !== undefined) return value
      context.issues.push({ code: 'custom', input: written, message: sentence, params: { code: 'wrong_unit' } })
      return z.NEVER
    },
    encode: unit.format,
  })
}

/** `; did you mean "x"?`, or nothing. */
export function meant(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return near === undefined ? '' : `; did you mean "${near}"?`
}

function expected(what: string): { error: (issue: { input?: unknown }) => string } {
  return { error: issue => (issue.input === undefined ? `missing; expected ${what}` : `expected ${what}`) }
}
