/** A record as expressions see it: text, decoded when it is first asked for. */
import { HeaderCursor, type HeaderName, headerName, type RecordView } from '@millrace/record'
import type { ExpressionInput } from './ports.ts'

/** What `mr-source` holds, in JSON: what is constant in the lane. Anything else in it is left alone. */
interface SourcePlace {
  topic?: string
  partition?: number
}

const mqttTopic = headerName('mqtt.topic')
const deviceId = headerName('iothub.device-id')

/** What stands at a record: its view, and the offset that its batch gives it. */
interface Standing {
  readonly view: RecordView
  readonly offset: bigint
}

/** One object for a lane, moved from record to record with its reader. */
export class RecordInput implements ExpressionInput {
  readonly #reader: Standing
  readonly #view: RecordView
  readonly #headers = new HeaderCursor()
  readonly #names = new Map<string, HeaderName>()
  #sourceText: string | undefined
  #source: SourcePlace = {}
  #key: string | null | undefined
  #value: string | null | undefined
  #topic: string | null | undefined

  constructor(reader: Standing) {
    this.#reader = reader
    this.#view = reader.view
  }

  /** The reader stands at another record, of a batch with this `mr-source`. */
  moved(source: string | undefined): void {
    this.#key = this.#value = this.#topic = undefined
    if (source !== this.#sourceText) {
      this.#sourceText = source
      this.#source = placeOf(source)
    }
  }

  get key(): string | null {
    const { keyIn, keyStart, keyEnd } = this.#view
    this.#key ??= text(keyIn, keyStart, keyEnd)
    return this.#key
  }

  get value(): string | null {
    const { valueIn, valueStart, valueEnd } = this.#view
    this.#value ??= text(valueIn, valueStart, valueEnd)
    return this.#value
  }

  header(name: string): string | null {
    let known = this.#names.get(name)
    if (known === undefined) {
      known = headerName(name)
      this.#names.set(name, known)
    }
    return this.#find(known)
  }

  get time(): number {
    return Number(this.#view.timestamp)
  }

  get topic(): string | null {
    this.#topic ??= this.#source.topic ?? this.#find(mqttTopic)
    return this.#topic
  }

  get partition(): number | null {
    return this.#source.partition ?? null
  }

  get offset(): string | null {
    return this.#source.partition === undefined ? null : String(this.#reader.offset)
  }

  get device(): string | null {
    return this.#find(deviceId)
  }

  #find(name: HeaderName): string | null {
    const headers = this.#headers
    return headers.find(this.#view, name) ? text(headers.bytes, headers.valueStart, headers.valueEnd) : null
  }
}

const text = (bytes: Buffer, start: number, end: number): string | null =>
  start < 0 ? null : bytes.toString('utf8', start, end)

/** A place that can't be read is none: expressions then see null. */
function placeOf(source: string | undefined): SourcePlace {
  try {
    const place: unknown = JSON.parse(source ?? '{}')
    if (typeof place !== 'object' || place === null) return {}
    return {
      ...('topic' in place && typeof place.topic === 'string' ? { topic: place.topic } : {}),
      ...('partition' in place && typeof place.partition === 'number' ? { partition: place.partition } : {}),
    }
  } catch {
    return {}
  }
}
