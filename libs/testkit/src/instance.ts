/** A service as a process of its own, on a bus where the test is the coordinator. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type ActorAssignment, assignmentDocument, Bucket, instanceDocument, type NatsUserName } from '@millrace/bus'
import { guarded } from '@millrace/local'
import { bareEnvironment } from './environment.ts'
import { eventually } from './eventually.ts'
import { type Installation, passwords } from './installation.ts'

/** Which service, where, and what the instance is called. */
export interface InstanceOptions {
  readonly installation: Installation
  readonly service: Exclude<NatsUserName, 'cli' | 'coordinator'>
  /** The file that is run: the service's `main.ts`. */
  readonly main: URL
  readonly name: string
}

/** One instance of a service; disposing it kills it. */
export class Instance implements AsyncDisposable {
  readonly #options: InstanceOptions
  readonly #key: string
  #child: ChildProcess
  /** Of the process that was assigned to last. */
  #startId = ''

  constructor(options: InstanceOptions) {
    this.#options = options
    this.#key = `${options.service}.${options.name}`
    this.#child = this.#spawn()
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get exitCode(): number | null {
    return this.#child.exitCode
  }

  /** Sends a signal; one that ends it is waited for. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal)
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await this.#ended()
  }

  restart(): void {
    this.#child = this.#spawn()
  }

  /** Its heartbeat, as others see it. */
  async heartbeat() {
    const { coordinator } = this.#options.installation
    return (await new Bucket(coordinator, 'mr_instances', instanceDocument).read(this.#key))?.value
  }

  /** Tells a process that has not been told anything yet to run these actors. */
  async assign(...actors: ActorAssignment[]): Promise<void> {
    const isAnother = async () => {
      const document = await this.heartbeat()
      return document?.state === 'running' && document.startId !== this.#startId ? document.startId : undefined
    }
    // A killed process leaves its heartbeat behind: what counts is another start id.
    this.#startId = await eventually(isAnother, { what: 'a heartbeat', timeout: 60_000 })
    const bucket = new Bucket(this.#options.installation.coordinator, 'mr_assign', assignmentDocument)
    const revision = (await bucket.read(this.#key))?.revision ?? 0
    await bucket.update(this.#key, { term: 1, startId: this.#startId, actors }, revision)
  }

  /** Waits until its actor is in that state, with that problem, and returns what is told of it. */
  async state(id: string, state: string, problem?: string) {
    const isSo = async () => {
      const actor = (await this.heartbeat())?.actors.find(actor => actor.id === id)
      return actor?.state === state && actor.problem?.code === problem ? actor : undefined
    }
    return await eventually(isSo, { what: `${id} ${state} ${problem ?? ''}`, timeout: 60_000 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGCONT')
    await this.kill('SIGKILL')
  }

  #spawn(): ChildProcess {
    const { installation, service, main, name } = this.#options
    return spawn(...guarded(process.execPath, [main.pathname]), {
      env: {
        ...bareEnvironment(),
        MILLRACE_NATS_URL: installation.nats.url,
        MILLRACE_NATS_PASSWORD: passwords[service],
        MILLRACE_INSTANCE: name,
        MILLRACE_LOG_LEVEL: 'fatal',
      },
      stdio: 'inherit',
    })
  }

  async #ended(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
  }
}
