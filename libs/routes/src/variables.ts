/** The variables of an expression (ARCHITECTURE.md 8), as CEL sees them: decoded when read, never before. */

/** One record as expressions see it; `libs/lane` hands it over. Absent is null. Each is decoded when it is first read. */
export interface ExpressionInput {
  readonly key: string | null
  /** The value as text. */
  readonly value: string | null
  /** The first header of that name. */
  header(name: string): string | null
  /** Milliseconds since the epoch; -1 where the source has none. */
  readonly time: number
  readonly topic: string | null
  readonly partition: number | null
  readonly offset: string | null
  readonly device: string | null
}

/** What an expression stumbled over while it was evaluated: the record becomes a dead letter, `expression`. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError'
}

/** `record.headers`: any name, as a field or an index; absent reads as null. A Map, for CEL asks its `get`. */
export class Headers extends Map<string, string | null> {
  readonly #variables: Variables

  constructor(variables: Variables) {
    super()
    this.#variables = variables
  }

  override get(name: string): string | null {
    return this.#variables.input.header(name)
  }

  override has(name: string): boolean {
    return this.get(name) !== null
  }
}

/** `record` */
export class RecordVariable {
  readonly #variables: Variables
  readonly headers: Headers

  constructor(variables: Variables) {
    this.#variables = variables
    this.headers = new Headers(variables)
  }

  get key(): string | null {
    return this.#variables.input.key
  }

  get value(): string | null {
    return this.#variables.input.value
  }

  get json(): unknown {
    return this.#variables.json()
  }

  get time(): Date | null {
    const { time } = this.#variables.input
    if (time === -1) return null
    const date = new Date(time)
    if (Number.isNaN(date.getTime())) throw new ExpressionError('record.time: no date is so late, or so early')
    return date
  }
}

/** `source` */
export class SourceVariable {
  readonly #variables: Variables

  constructor(variables: Variables) {
    this.#variables = variables
  }

  get topic(): string | null {
    return this.#variables.input.topic
  }

  get levels(): string[] {
    return this.#variables.input.topic?.split('/') ?? []
  }

  get partition(): bigint | null {
    const { partition } = this.#variables.input
    return partition === null ? null : BigInt(partition)
  }

  get offset(): bigint | null {
    const { offset } = this.#variables.input
    return offset === null ? null : BigInt(offset)
  }

  get device(): string | null {
    return this.#variables.input.device
  }
}

/** Every field by its CEL type; what may be null is `dyn`. */
export const recordFields = { key: 'dyn', value: 'dyn', json: 'dyn', headers: 'Headers', time: 'dyn' }
export const sourceFields = { topic: 'dyn', levels: 'list<string>', partition: 'dyn', offset: 'dyn', device: 'dyn' }

/** The variables of one compiled expression, filled anew for each record: evaluating allocates nothing of ours. */
export class Variables {
  readonly record: RecordVariable = new RecordVariable(this)
  readonly source: SourceVariable = new SourceVariable(this)
  #input: ExpressionInput | undefined
  #json: unknown

  /** The record that is looked at now. */
  get input(): ExpressionInput {
    if (this.#input === undefined) throw new Error('an expression was evaluated without a record')
    return this.#input
  }

  set input(input: ExpressionInput) {
    this.#input = input
    this.#json = undefined
  }

  /** The value parsed, once a record. */
  json(): unknown {
    this.#json ??= parseJson(this.input.value)
    return this.#json
  }
}

function parseJson(text: string | null): unknown {
  if (text === null) throw new ExpressionError('record.json: the record has no value')
  try {
    // A double would make two long ids one: whole numbers beyond 2^53 become CEL's int instead.
    return /\d{16}/.test(text) ? JSON.parse(text, keepLongIntegers) : JSON.parse(text)
  } catch (cause) {
    throw new ExpressionError('record.json: the value is not JSON', { cause })
  }
}

function keepLongIntegers(_key: string, value: unknown, context?: { source?: string }): unknown {
  const digits = context?.source
  const long = typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(digits ?? '')
  return long && digits !== undefined ? BigInt(digits) : value
}
