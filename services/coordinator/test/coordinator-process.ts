import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { bareEnvironment, guarded } from '@millrace/testkit'

/** A real coordinator, in a process of its own. */
export class CoordinatorProcess implements AsyncDisposable {
  readonly #child: ChildProcess

  constructor(environment: Record<string, string>) {
    const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
    const env = { ...bareEnvironment(), ...environment }
    this.#child = spawn(...guarded(process.execPath, [main]), { env, stdio: ['ignore', 'ignore', 'inherit'] })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Sends the signal and resolves with the exit code, null where a signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit')
      this.#child.kill(signal)
      await exited
    }
    return this.#child.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
  }
}
