/** One process of the installation, kept running: started again, after a growing wait, whenever it dies. */
import { type Actor, aborted, backoff, supervise } from '@millrace/actor'
import type { Child } from '../servers/child.mjs'

/** How long a process may take to stop before it is killed. Services drain for at most 10 s (R13). */
const STOP_MS = 15_000

/** A process died that nobody had asked to. */
class Died extends Error {
  override name = 'Died'
}

/** A process that is kept running. `pid` changes with each restart. */
export class Kept {
  readonly name: string
  pid: number
  restarts = 0
  readonly #actor: Actor

  /** Starts it; rejects if it can't be started the first time, for then nothing about it is known to work. */
  static async start(name: string, start: () => Promise<Child>, tell: (line: string) => void): Promise<Kept> {
    return new Kept(name, start, { first: await start(), tell })
  }

  private constructor(
    name: string,
    start: () => Promise<Child>,
    { first, tell }: { first: Child; tell: (line: string) => void },
  ) {
    this.name = name
    this.pid = first.pid
    let next: Child | undefined = first
    this.#actor = supervise(
      name,
      async life => {
        const child = next ?? (await start())
        if (next === undefined) this.#restarted(child, tell)
        next = undefined
        life.state('running')
        await Promise.race([child.exited, aborted(life.draining)])
        if (life.draining.aborted) return stop(child)
        throw new Died(`${name} (process ${child.pid}) died: ${await child.exited}`)
      },
      {
        decide: error => {
          const message = error instanceof Error ? error.message : String(error)
          tell(`${message.split('\n')[0]}; starting it again`)
          return { restart: true, reason: { code: 'died', message } }
        },
        changed: () => undefined,
        backoff: backoff({ first: 200, cap: 5_000 }),
      },
    )
  }

  get running(): boolean {
    return this.#actor.state === 'running'
  }

  /** Stops it in order: SIGTERM, and SIGKILL if it has not ended by then. */
  async stop(): Promise<void> {
    await this.#actor.drain(2 * STOP_MS)
  }

  #restarted(child: Child, tell: (line: string) => void): void {
    this.pid = child.pid
    this.restarts += 1
    tell(`${this.name} runs again (process ${child.pid})`)
  }
}

async function stop(child: Child): Promise<void> {
  const impatient = setTimeout(() => void child.kill('SIGKILL'), STOP_MS)
  await child.kill('SIGTERM')
  clearTimeout(impatient)
}
