/** What is promised when anything is killed at any time: nothing acknowledged is lost, in order, nothing twice in the lane. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { type LaneName, LaneReader, positionKey, recordsBehind, trimLane } from '@millrace/bus'
import { delay } from '@millrace/actor'
import { BatchReader } from '@millrace/record'
import { eventually, install, type Installation, Ledger, noLeaks } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { valueOf } from './records.ts'

noLeaks()

/** A source and a sink in processes, a lane between them, and a ledger of what they say. */
class Run implements AsyncDisposable {
  readonly ledger = new Ledger()
  /** How far the writer had counted when it was told to stop. */
  finished = 0
  delivered = 0
  readonly ends: string[] = []
  readonly #installation: Installation
  readonly #route: string
  readonly #children: ChildProcess[] = []
  #epoch = 0
  #acknowledged = 0

  constructor(installation: Installation, route: string) {
    this.#installation = installation
    this.#route = route
  }

  /** Each with a new epoch. */
  write(): ChildProcess {
    return this.#start('write.ts', String(this.#acknowledged))
  }

  read(): ChildProcess {
    return this.#start('read.ts')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) if (running(child)) await kill(child)
  }

  #start(program: string, ...rest: string[]): ChildProcess {
    const epoch = String(++this.#epoch)
    const file = path.join(import.meta.dirname, 'process', program)
    const child = fork(file, [String(this.#installation.nats.port), this.#route, epoch, ...rest], { execArgv: [] })
    this.#children.push(child)
    child.on(
      'message',
      (said: { stored?: number; finished?: number; delivered?: [number, number]; ended?: string }) => {
        if (said.stored !== undefined) {
          while (this.#acknowledged < said.stored) this.ledger.acknowledged('source', this.#acknowledged++)
        }
        if (said.delivered !== undefined) this.#deliver(...said.delivered)
        this.finished = said.finished ?? this.finished
        if (said.ended !== undefined) this.ends.push(`${program} ${said.ended}`)
      },
    )
    return child
  }

  #deliver(first: number, last: number): void {
    for (let number = first; number <= last; number++) this.ledger.delivered('source', number)
    this.delivered = Math.max(this.delivered, last + 1)
  }
}

const running = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

const progress = (run: Run, to: number) =>
  eventually(() => run.delivered >= to, { what: `${to} to be delivered`, timeout: 30_000 })

/** Ends the counting, some time after the last kill; returns how many were stored, when all are delivered. */
async function finish(run: Run, writer: ChildProcess, seen: { numbers: number[] }): Promise<number> {
  await progress(run, run.delivered + 10_000)
  writer.send('finish')
  const total = await eventually(() => run.finished, { what: 'the writer to finish' })
  await progress(run, total)
  await eventually(() => seen.numbers.length >= total, { what: 'the follower to see all' })
  return total
}

/** Follows the lane from outside, and so sees each record once, and that `mr-base` never goes back. */
async function follow(
  installation: Installation,
  lane: LaneName,
  signal: AbortSignal,
  seen: { sequence: number; numbers: number[] },
) {
  const bus = await installation.connect('kafka-egress')
  const reader = new LaneReader({ bus, lane, uid: lane.route.toUpperCase(), after: { sequence: 0 }, base: 0, signal })
  const records = new BatchReader({ maxBytes: 2 ** 24 })
  for (let epoch = 0; !signal.aborted; ) {
    await reader.waiting(signal)
    for (let batch = reader.take(); batch !== undefined; batch = reader.take()) {
      expect(batch.epoch).toBeGreaterThanOrEqual(epoch)
      epoch = batch.epoch
      seen.sequence = batch.sequence
      if (batch.count === 0) continue
      records.open(batch.payload)
      while (records.next()) seen.numbers.push(Number(valueOf(records.view)))
    }
  }
}

/** As the coordinator does, but never past what the follower has seen. */
async function trim(installation: Installation, lane: LaneName, signal: AbortSignal, seen: { sequence: number }) {
  const key = positionKey({ ...lane, service: 'kafka-egress' })
  while (!signal.aborted) {
    await installation.coordinator.whenConnected(signal).catch(() => {})
    const position = await installation
      .positions()
      .read(key)
      .catch(() => undefined)
    const sequence = Math.min(position?.value.sequence ?? 0, seen.sequence)
    if (sequence > 0) await trimLane(installation.coordinator, lane, sequence).catch(() => 0)
    await delay(100, signal)
  }
}

/** Checks the whole of it. */
function expectSound(run: Run, total: number, seen: { numbers: number[] }): void {
  expect(run.ledger.report()).toMatchObject({ delivered: total, lost: [], outOfOrder: [] })
  expect(seen.numbers).toEqual(Array.from({ length: total }, (_, number) => number))
}

test('nats-server, the writer and the reader are each killed under load: nothing lost, in order, stored once', {
  timeout: 180_000,
}, async () => {
  await using installation = await install()
  const { lane, sinkLane } = await installation.route('kills', 512 * 2 ** 20)
  await using run = new Run(installation, lane.route)
  const seen = { sequence: 0, numbers: new Array<number>() }
  const stop = new AbortController()
  const following = follow(installation, lane, stop.signal, seen)
  const trimming = trim(installation, lane, stop.signal, seen)
  let [writer, reader] = [run.write(), run.read()]
  for (let round = 1; round <= 4; round++) {
    const from = run.delivered
    await progress(run, from + 10_000)
    await installation.nats.kill()
    await installation.nats.restart()
    await progress(run, from + 20_000)
    await kill(writer)
    writer = run.write()
    await progress(run, from + 30_000)
    await kill(reader)
    reader = run.read()
    await progress(run, from + 40_000)
    await Promise.all([kill(writer), kill(reader), installation.nats.kill()])
    await installation.nats.restart()
    writer = run.write()
    reader = run.read()
  }
  const total = await finish(run, writer, seen)
  reader.send('drain')
  await once(reader, 'exit')
  stop.abort()
  await Promise.all([following, trimming])
  expect(run.ends).toEqual([])
  expectSound(run, total, seen)
  const position = await installation.positions().read(positionKey(sinkLane))
  expect(position && recordsBehind(position.value.totals)).toBe(total)
})

test('A writer that is stopped beyond its lease, while another took over, stores nothing more; so is a reader', {
  timeout: 120_000,
}, async () => {
  await using installation = await install()
  const { lane, sinkLane } = await installation.route('stopped', 512 * 2 ** 20)
  await using run = new Run(installation, lane.route)
  const seen = { sequence: 0, numbers: new Array<number>() }
  const stop = new AbortController()
  const following = follow(installation, lane, stop.signal, seen)
  const [oldWriter, oldReader] = [run.write(), run.read()]
  await progress(run, 20_000)
  oldWriter.kill('SIGSTOP')
  const writer = run.write()
  await progress(run, 60_000)
  oldWriter.kill('SIGCONT')
  await once(oldWriter, 'exit')
  expect(run.ends).toEqual(['write.ts FencedError'])
  oldReader.kill('SIGSTOP')
  const reader = run.read()
  await progress(run, 100_000)
  oldReader.kill('SIGCONT')
  await once(oldReader, 'exit')
  expect(run.ends).toEqual(['write.ts FencedError', 'read.ts FencedError'])
  const total = await finish(run, writer, seen)
  reader.send('drain')
  await once(reader, 'exit')
  stop.abort()
  await following
  expectSound(run, total, seen)
  const position = await installation.positions().read(positionKey(sinkLane))
  expect(position && recordsBehind(position.value.totals)).toBe(total)
})
