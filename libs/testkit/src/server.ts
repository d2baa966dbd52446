import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A running server process, as the launchers of `deploy/local` give it. */
export interface Process {
  readonly pid: number
  readonly exited: Promise<string>
  alive(): boolean
  kill(signal?: NodeJS.Signals): Promise<void>
}

/**
 * A real server that a test may hurt. Its port and its data stay the same over `kill` and `restart`; disposing it
 * kills it and removes its folder.
 */
export class Server implements AsyncDisposable {
  /** Its folder: configuration, log, data. */
  readonly folder: string
  readonly port: number
  readonly #launch: () => Promise<Process>
  #process: Process

  protected constructor({ folder, port, launch, process }: Launched) {
    this.folder = folder
    this.port = port
    this.#launch = launch
    this.#process = process
  }

  get pid(): number {
    return this.#process.pid
  }

  /** Whether its process is there (running or paused). */
  get alive(): boolean {
    return this.#process.alive()
  }

  /** Sends a signal that ends it, and waits until it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process.kill(signal)
  }

  /** Starts it again on the same port and data, and waits until it answers; one that still runs gets SIGTERM first. */
  async restart(): Promise<void> {
    if (this.alive) await this.kill('SIGTERM')
    this.#process = await this.#launch()
  }

  /** SIGSTOP: it stands still, all of it, once this returns. Its connections stay. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP')
    while (!standsStill(this.pid)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
  }

  /** SIGCONT: it goes on after `pause`. */
  resume(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.alive) await this.kill('SIGKILL')
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Whether every thread of a process is stopped: the signal is taken a moment after it was sent. */
function standsStill(pid: number): boolean {
  // Only Linux tells.
  if (!existsSync('/proc/self/task')) return true
  const threads = `/proc/${pid}/task`
  return readdirSync(threads).every(thread => / T /.test(readFileSync(`${threads}/${thread}/stat`, 'utf8')))
}

/** What a server is made of: how to start its process (again), and the one that runs. */
export interface Launched {
  readonly folder: string
  readonly port: number
  readonly launch: () => Promise<Process>
  readonly process: Process
}

/**
 * Starts a server in a new folder of its own, which goes again if the server does not start.
 *
 * @param name of the server, for the folder's name
 * @param port that it is going to listen on
 * @param launch starts its process in the folder, and waits until it answers
 */
export async function launchIn(
  name: string,
  port: number,
  launch: (folder: string) => Promise<Process>,
): Promise<Launched> {
  const folder = await mkdtemp(path.join(tmpdir(), `millrace-${name}-`))
  try {
    return { folder, port, launch: () => launch(folder), process: await launch(folder) }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}
