/**
 * Messages of a stream in order, prefetched and bounded: a pull consumer that belongs to one reader, is not
 * acknowledged, and is thrown away at the first doubt.
 *
 * Invariants:
 * 1. `deliver` sees each message once, in the stream's order. Whatever may have broken that (a lost connection, a gap
 *    in the consumer's own sequence, a consumer that is gone, silence) makes a new consumer after the last message.
 * 2. One pull is under way at a time, of at most as many bytes as `ask` said when it began.
 * 3. While a pull is under way the server says at least every `heartbeat` that it lives; after two of silence: anew.
 *
 * It takes the permissions for CONSUMER.CREATE and CONSUMER.MSG.NEXT only. A consumer that was thrown away ends by
 * itself (`inactive`), so nobody needs the right to delete one.
 */
import { backoff, delay } from '@millrace/actor'
import { AckPolicy, type ConsumerConfig, JetStreamApiError } from '@nats-io/jetstream'
import { type Msg, nanos, nuid } from '@nats-io/nats-core'
import type { Bus } from './connect.ts'
import { StoppedError, UnknownOutcomeError } from './errors.ts'

const heartbeat = 5_000
const expires = 60_000
const inactive = 30_000
const pullMessages = 256

/** What to follow, and who is told. */
export interface OrderedOptions {
  bus: Bus
  stream: string
  /** The subject filter. */
  filter: string
  signal: AbortSignal
  /** Where a new consumer starts; asked each time that one is made. */
  start: () => Pick<ConsumerConfig, 'deliver_policy' | 'opt_start_seq'>
  /** Asked before a consumer is made. What it throws ends it all, but for what may pass, which is tried again. */
  check?: () => Promise<void>
  /** A new consumer was made; so many messages match already. */
  made?: (pending: number) => void
  /** The next message; `pending` more match already. */
  deliver: (message: Msg, sequence: number, pending: number) => void
  /** How many bytes may come with the next pull: 0, or enough for the largest message. Asked when one could begin. */
  ask: () => number
}

/** Follows a stream. `run` once; `more` whenever `ask` may say more than before. */
export class OrderedReader {
  readonly #options: OrderedOptions
  #consumer: Consumer | undefined

  constructor(options: OrderedOptions) {
    this.#options = options
  }

  /** Resolves when the signal aborts; rejects with PermissionError, or with what `check` or `deliver` threw. */
  async run(): Promise<void> {
    const { bus, signal, check } = this.#options
    const wait = backoff({ first: 50, cap: 2_000 })
    while (!signal.aborted) {
      try {
        await bus.whenConnected(signal)
        await check?.()
        this.#consumer = await makeConsumer(this.#options)
        wait.reset()
        await this.#consumer.ended
      } catch (error) {
        if (error instanceof StoppedError) return
        if (!(error instanceof UnknownOutcomeError || error instanceof JetStreamApiError)) throw error
      }
      await delay(wait.next(), signal)
    }
  }

  more(): void {
    this.#consumer?.more()
  }
}

async function makeConsumer(options: OrderedOptions): Promise<Consumer> {
  const { bus, stream, filter, start, made, signal } = options
  const { name, num_pending } = await bus.call(
    bus.jsm.consumers.add(stream, {
      name: nuid.next(),
      filter_subject: filter,
      ack_policy: AckPolicy.None,
      inactive_threshold: nanos(inactive),
      mem_storage: true,
      num_replicas: 1,
      ...start(),
    }),
  )
  made?.(num_pending)
  if (signal.aborted) throw new StoppedError('Stopped.')
  return new Consumer(options, `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`)
}

/** One server-side consumer, until the first doubt. */
class Consumer {
  /** Resolves at the first doubt; rejects where it can't go on. */
  readonly ended: Promise<void>
  readonly #options: OrderedOptions
  readonly #next: string
  readonly #inbox: string
  readonly #settle: PromiseWithResolvers<void>
  readonly #watchdog: NodeJS.Timeout
  /** Messages delivered so far, by the consumer's own count. */
  #delivered = 0
  /** The number of the pull that is under way or was last, and what it may still bring. */
  #pull = 0
  #left = 0
  #over = false

  constructor(options: OrderedOptions, next: string) {
    this.#options = options
    this.#next = next
    const { bus, signal } = options
    this.#inbox = bus.newInbox()
    this.#settle = Promise.withResolvers()
    this.#watchdog = setTimeout(() => this.#silence(), 2 * heartbeat)
    const subscription = bus.nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => this.#came(error, message),
    })
    const off = bus.on(event => {
      if (event.is === 'disconnected') this.#end()
      if (event.is === 'refused' && (event.error.subject === next || event.error.subject.startsWith(this.#inbox))) {
        this.#settle.reject(event.error)
      }
    })
    const stop = () => this.#end()
    signal.addEventListener('abort', stop)
    this.ended = this.#settle.promise.finally(() => {
      this.#over = true
      clearTimeout(this.#watchdog)
      signal.removeEventListener('abort', stop)
      off()
      subscription.unsubscribe()
    })
    this.more()
  }

  /** Pulls again, where no pull is under way and there is room. */
  more(): void {
    if (this.#over || this.#left > 0) return
    const bytes = this.#options.ask()
    if (bytes === 0) return
    this.#left = pullMessages
    this.#pull++
    const pull = {
      batch: pullMessages,
      max_bytes: bytes,
      expires: nanos(expires),
      idle_heartbeat: nanos(heartbeat),
    }
    this.#watchdog.refresh()
    this.#options.bus.nc.publish(this.#next, JSON.stringify(pull), { reply: `${this.#inbox}.${this.#pull}` })
  }

  #came(error: Error | null, message: Msg): void {
    if (this.#over) return
    if (error !== null) return this.#settle.reject(error)
    this.#watchdog.refresh()
    if (message.subject.startsWith(this.#inbox)) return this.#status(message)
    const { consumerSequence, sequence, pending } = place(message.reply ?? '')
    if (consumerSequence !== this.#delivered + 1) return this.#end()
    this.#delivered++
    this.#left--
    try {
      this.#options.deliver(message, sequence, pending)
    } catch (thrown) {
      this.#over = true
      return this.#settle.reject(thrown)
    }
    this.more()
  }

  /** 100 is a heartbeat; 404, 408 and "409 ... MaxBytes" or "Batch Completed" end a pull; the rest ends the consumer. */
  #status(message: Msg): void {
    const { code = 0, description = '' } = message.headers ?? {}
    if (code === 100 || message.subject !== `${this.#inbox}.${this.#pull}`) return
    const pullEnded = code === 404 || code === 408 || (code === 409 && /maxbytes|batch completed/i.test(description))
    if (!pullEnded) return this.#end()
    this.#left = 0
    this.more()
  }

  #silence(): void {
    if (this.#left > 0) this.#end()
    else this.#watchdog.refresh()
  }

  #end(): void {
    this.#over = true
    this.#settle.resolve()
  }
}

/**
 * Where a message stands, from its reply subject: `$JS.ACK.(<domain>.<account>.)<stream>.<consumer>.<delivered>.
 * <stream sequence>.<consumer sequence>.<time>.<pending>`, and a token more at the end where there is a domain.
 */
function place(reply: string): { sequence: number; consumerSequence: number; pending: number } {
  const tokens = reply.split('.')
  const at = tokens.length === 9 ? 5 : 7
  return {
    sequence: Number(tokens[at]),
    consumerSequence: Number(tokens[at + 1]),
    pending: Number(tokens[at + 3]),
  }
}
