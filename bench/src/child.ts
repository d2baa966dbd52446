/** A process of the benchmark's own: forked, told by messages, and answering by messages. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What a child says: one word, and what belongs to it. */
export type Said = Record<string, unknown>

export class Child implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #said: Said[] = []
  readonly #waiting = new Set<() => void>()
  #exit: string | undefined

  constructor(file: string, orders: unknown) {
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(orders)])
    this.#process.on('message', message => {
      this.#said.push(message as Said)
      this.#wake()
    })
    this.#process.once('exit', (code, signal) => {
      this.#exit = `${file} ended (${code ?? signal})`
      this.#wake()
    })
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** What the child says under this word; waits until it has. Throws if it fails or ends first. */
  async said(word: string): Promise<unknown> {
    for (;;) {
      const found = this.#said.find(message => word in message)
      if (found !== undefined) return found[word]
      const failed = this.#said.find(message => 'failed' in message)
      if (failed !== undefined) throw new Error(String(failed['failed']))
      if (this.#exit !== undefined) throw new Error(`${this.#exit} before it said ${word}`)
      await new Promise<void>(resolve => this.#waiting.add(resolve))
    }
  }

  tell(message: Said): void {
    this.#process.send(message)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#exit !== undefined) return
    this.#process.kill('SIGKILL')
    while (this.#exit === undefined) await new Promise<void>(resolve => this.#waiting.add(resolve))
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }
}
