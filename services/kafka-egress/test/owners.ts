/** Owners of one lane, each in a process of its own, with an epoch above those before. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { eventually, type Installation, type Kafka, passwords } from '@millrace/testkit'

const program = new URL('exactly-once-owner.ts', import.meta.url).pathname

/** What runs where. */
export interface Stage {
  installation: Installation
  kafka: Kafka
  route: string
  /** After how many milliseconds the broker aborts an open transaction; the owner then stops in its third one. */
  timeout?: number
}

/** One of them. */
export class Owner implements AsyncDisposable {
  /** What it said, but for its phases: errors that it went on after, and how it ended. */
  readonly said: string[] = []
  readonly #child: ChildProcess
  #phases = 0
  #wake = (): void => {}

  constructor({ installation, kafka, route, timeout }: Stage, epoch: number) {
    const ends = [installation.nats.port, passwords['kafka-egress'], kafka.brokers.join()]
    const args = [...ends, route, epoch, timeout ?? []].flat().map(String)
    this.#child = fork(program, args, { execArgv: [] })
    this.#child.on('exit', () => this.#wake())
    this.#child.on('message', (message: string) => {
      if (message === 'phase') this.#phases++
      else this.said.push(message)
      this.#wake()
    })
  }

  /** It has loaded what it needs, or will have soon; now it claims the lane. */
  go(): void {
    this.#child.send('go')
  }

  /** Waits until it has gone through so many more phases. Rejects where it ends before. */
  async phases(more: number): Promise<void> {
    const wanted = this.#phases + more
    while (this.#phases < wanted) {
      if (!this.#runs) throw new Error(`It has ended: ${this.said.join()}`)
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  /** Waits until it stands still. */
  async stopped(): Promise<void> {
    const state = async () => /\) (\w)/.exec(await readFile(`/proc/${this.#child.pid}/stat`, 'utf8'))?.[1]
    await eventually(async () => (await state()) === 'T', { what: 'it to stand still', timeout: 60_000 })
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal)
  }

  /** Resolves with what it said last. */
  async ended(): Promise<string | undefined> {
    if (this.#runs) await once(this.#child, 'exit')
    return this.said.at(-1)
  }

  /** Lets it finish. */
  async drain(): Promise<string | undefined> {
    this.#child.send('drain')
    return await this.ended()
  }

  /** SIGKILL. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended()
  }

  get #runs(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }
}
