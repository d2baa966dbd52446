/**
 * A subscriber slot: one MQTT session, read into one lane.
 *
 *   connecting --(CONNACK)--> subscribing --(SUBACK)--> reading --(lost, refused, taken over)--> connecting
 *   any of them --(draining)--> take nothing more, store, acknowledge, DISCONNECT; the session stays
 *   connected --(retire)--> unsubscribe, take what the session holds, say so in the lane, end the session
 *
 * 1. A PUBLISH is acknowledged when its record is stored, or its dead letter (R1), on the connection that brought it.
 * 2. Where the lane has no room, QoS 1 and 2 are held; QoS 0 is dropped and counted (R8).
 * 3. Before each connect: may I? After a takeover only the assignment knows (R11).
 * 4. A session that must be there and is not is told: messages may be lost. Reading goes on.
 */
import { aborted, backoff, delay } from '@millrace/actor'
import { type ActorContext, Condition } from '@millrace/host'
import type { SourceEvents, Writer } from '@millrace/lane'
import { type Ending, type Publish, type Session, SessionClosedError, toRecord } from '@millrace/mqtt'
import { emptyView, HeaderWriter } from '@millrace/record'
import { type MqttSource, sourceOf } from '@millrace/routes'
import { connectSlot, slotId } from './connection.ts'
import { endedPosition, filtersOf, openingPosition, type Position } from './slot.ts'

/** Which slot it is, and how it is read. */
export interface Slot {
  lane: string
  /** Nothing is sent after it has aborted. */
  signal: AbortSignal
  /** It is given up: take what the session holds, and end it. */
  retire: boolean
  receiveMaximum: number
}

/** Opens the lane: `start` turns its last position into the one of the opening batch (R4). */
export type OpenLane = (start: (previous: string | undefined) => string) => Promise<Writer>

/** A connection that lasted so many milliseconds has held: the back-off begins anew. */
const heldAfter = 5_000

export class Source implements SourceEvents {
  readonly #context: ActorContext
  readonly #reads: MqttSource
  readonly #slot: Slot
  readonly #openLane: OpenLane
  readonly #clientId: string
  readonly #filters: string[]
  readonly #condition: Condition
  readonly #drained: Promise<void>
  readonly #headers = new HeaderWriter()
  readonly #view = emptyView()
  #position: Position
  #positionText = ''
  #laneIsNew = false
  #writer: Writer | undefined
  #session: Session | undefined
  /** Whether a PUBLISH waits for room, and when the last one was taken or stored (`performance.now()`). */
  #held = false
  #movedAt = 0
  /** The record whose way to its acknowledgement is measured, one at a time, and when it came; 0: none. */
  #measured = 0
  #measuredFrom = 0

  constructor(context: ActorContext, slot: Slot, openLane: OpenLane) {
    const { installation, route } = context
    this.#context = context
    this.#reads = sourceOf(route, 'mqtt')
    this.#slot = slot
    this.#openLane = openLane
    this.#clientId = slotId(context, slot.lane)
    this.#filters = filtersOf(this.#reads, `${installation}-${route.name}`)
    this.#position = endedPosition(this.#clientId)
    this.#condition = new Condition(context.state)
    this.#drained = aborted(context.draining)
  }

  /** Runs until it is drained, retired or aborted. Rejects where the lane cannot be written any more. */
  async run(): Promise<void> {
    this.#writer = await this.#openLane(previous => {
      this.#laneIsNew = previous === undefined
      return this.#moveTo(openingPosition(this.#clientId, this.#filters, previous))
    })
    await Promise.race([this.#keepConnected(this.#writer), this.#writer.ended])
  }

  stored(ordinal: number): void {
    this.#context.log.trace({ upTo: ordinal }, 'stored')
    this.#session?.acknowledge(ordinal)
    this.#movedAt = performance.now()
    if (this.#measured === 0 || ordinal < this.#measured) return
    this.#context.latency.observe((Date.now() - this.#measuredFrom) / 1000)
    this.#measured = 0
  }

  roomAgain(): void {
    this.#session?.resume()
  }

  position(): string {
    return this.#positionText
  }

  /** The lane stores, or why it does not. */
  tellStoring: Condition['storing'] = problem => this.#condition.storing(problem)

  async #keepConnected(writer: Writer): Promise<void> {
    const { draining, fresh, allowed } = this.#context
    const wait = backoff()
    let takenOver = false
    while (!draining.aborted && ((fresh() && !takenOver) || (await allowed()))) {
      const begun = performance.now()
      const ending = await this.#readOnce(writer)
      if (ending.is === 'ended') return
      takenOver = ending.is === 'takenOver'
      this.#condition.reading(ending.problem)
      if (performance.now() - begun >= heldAfter) wait.reset()
      await delay(wait.next(), draining)
    }
  }

  /** One connection, from its beginning to its end. */
  async #readOnce(writer: Writer): Promise<Ending> {
    const { receiveMaximum, signal } = this.#slot
    const attempt = await connectSlot(this.#context, { clientId: this.#clientId, receiveMaximum, signal })
    if (attempt.is !== 'connected') return attempt
    const { session } = attempt
    this.#check(session)
    this.#laneIsNew = false
    const { sessionPresent, sessionExpiry } = session
    this.#context.log.debug({ clientId: this.#clientId, sessionPresent, sessionExpiry }, 'connected')
    this.#session = session
    session.start(publish => this.#receive(publish, writer))
    const ending = await Promise.race([this.#serve(session, writer), this.#drained])
    if (ending !== undefined) return ending
    await writer.flush()
    await session.disconnect('keep')
    return { is: 'ended' }
  }

  /** Tells what the broker kept of the session, and for how long it will. */
  #check(session: Session): void {
    const expiry = this.#reads.sessionExpiry / 1000
    if (this.#position.subscribed && !session.sessionPresent) {
      this.#notice(
        'session_lost',
        `The broker has no session ${this.#clientId} any more: what it had acknowledged to publishers and not yet ` +
          'delivered is lost. Look at its persistence, its session expiry, and who else uses this client id.',
      )
    }
    if (this.#laneIsNew && session.sessionPresent) {
      this.#notice(
        'session_found',
        `The broker had a session ${this.#clientId} before this lane began: of an earlier route of that name, or of ` +
          'this one if its lane was lost. What it holds is taken, for publishers were told that it is safe. Filters ' +
          'that only the broker knows stay; deleting the route ends the session.',
      )
    }
    if (session.sessionExpiry < expiry) {
      const kept = `The broker keeps the session for ${session.sessionExpiry} s without a connection, not ${expiry} s.`
      this.#notice('session_expiry_lowered', kept)
    }
  }

  /** Reads until the connection ends. */
  async #serve(session: Session, writer: Writer): Promise<Ending> {
    try {
      await (this.#slot.retire ? this.#retire(session, writer) : this.#subscribe(session))
    } catch (error) {
      if (!(error instanceof SessionClosedError)) throw error
    }
    return session.closed
  }

  /**
   * New filters first, then the old ones away: the other way round, what is published in between would be acknowledged
   * to its publisher and go nowhere. What comes by both comes twice.
   */
  async #subscribe(session: Session): Promise<void> {
    const { draining } = this.#context
    const { qos, retained } = this.#reads
    const subscriptions = this.#filters.map(filter => ({ filter, qos, retained }))
    const wait = backoff()
    let problems = await session.subscribe(subscriptions)
    for (;;) {
      const refused = problems.find(({ code }) => code === 'subscription_refused')
      if (refused === undefined) break
      this.#condition.reading(refused)
      await delay(wait.next(), draining)
      if (draining.aborted) return
      problems = await session.subscribe(subscriptions)
    }
    const old = this.#position.filters.filter(filter => !this.#filters.includes(filter))
    if (old.length > 0) await session.unsubscribe(old)
    for (const { code, message } of problems) this.#notice(code, message)
    this.#context.lowers(problems.filter(({ code }) => code === 'qos_0_granted'))
    this.#context.log.debug({ filters: this.#filters, old }, 'subscribed')
    const news = !this.#position.subscribed || old.length > 0
    this.#moveTo({ clientId: this.#clientId, filters: this.#filters, subscribed: true })
    // From now on the broker keeps the session: to find it gone is an alarm, even if nothing ever came.
    if (news) this.#writer?.mark()
    this.#condition.reading(undefined)
  }

  /** Nothing that a publisher was told is safe may stay behind in the session (ARCHITECTURE.md 5). */
  async #retire(session: Session, writer: Writer): Promise<void> {
    const { filters } = this.#position
    if (filters.length > 0) await session.unsubscribe(filters)
    this.#condition.reading(undefined)
    await this.#quiet(session)
    await writer.flush()
    await this.#openLane(() => this.#moveTo(endedPosition(this.#clientId)))
    await session.disconnect('end')
  }

  /**
   * Resolves when nothing has come for two keepalives. Silence says nothing while something is unstored: the broker
   * waits for its acknowledgement before it sends more.
   */
  async #quiet(session: Session): Promise<void> {
    const { counts, source } = this.#context
    const enough = 2 * (source.mqtt?.keepAlive ?? 0)
    this.#movedAt = performance.now()
    for (let rest = enough; rest > 0; ) {
      const ending = await Promise.race([delay(rest, this.#slot.signal), session.closed])
      if (ending !== undefined) throw new SessionClosedError()
      rest = this.#held || counts.pending > 0 ? enough : this.#movedAt + enough - performance.now()
    }
  }

  #receive(publish: Publish, writer: Writer): number | undefined {
    const { counts, draining } = this.#context
    const room = writer.room
    if (!room && publish.qos === 0) {
      counts.dropped++
      return 0
    }
    this.#held = !room || draining.aborted
    if (this.#held) return undefined
    if (publish.dup) counts.duplicates++
    const now = Date.now()
    toRecord(publish, now, this.#headers, this.#view)
    const ordinal = writer.add(this.#view)
    if (this.#slot.retire) this.#movedAt = performance.now()
    if (this.#measured === 0) {
      this.#measured = ordinal
      this.#measuredFrom = now
    }
    return ordinal
  }

  #notice(code: string, message: string): void {
    this.#condition.notice({ code, message })
    this.#context.log.warn({ code }, message)
  }

  #moveTo(position: Position): string {
    this.#position = position
    this.#positionText = JSON.stringify(position)
    return this.#positionText
  }
}
