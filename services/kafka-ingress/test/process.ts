import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type ActorAssignment, assignmentDocument, Bucket, instanceDocument, instanceKey } from '@millrace/bus'
import { eventually } from '@millrace/testkit'
import { passwords, type Rig } from './rig.ts'

const main = new URL('../src/main.ts', import.meta.url).pathname
const key = instanceKey('kafka-ingress', 'one')

/** The service as it runs in earnest: a process, which a coordinator's hand tells what to do. */
export class Process implements AsyncDisposable {
  readonly #rig: Rig
  #child: ChildProcess | undefined
  #exited: Promise<unknown> = Promise.resolve()

  constructor(rig: Rig) {
    this.#rig = rig
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Starts the process, and gives it the actors once it has said who it is. */
  async start(...actors: ActorAssignment[]): Promise<void> {
    const instances = new Bucket(this.#rig.coordinator, 'mr_instances', instanceDocument)
    const before = (await instances.read(key))?.value.startId
    this.#child = spawn(process.execPath, [main], {
      env: {
        PATH: process.env['PATH'],
        MILLRACE_NATS_URL: this.#rig.nats.url,
        MILLRACE_NATS_PASSWORD: passwords['kafka-ingress'],
        MILLRACE_INSTANCE: 'one',
        MILLRACE_LOG_LEVEL: 'fatal',
      },
      stdio: 'inherit',
    })
    this.#exited = once(this.#child, 'exit')
    const startId = await eventually(
      async () => {
        const found = (await instances.read(key))?.value.startId
        return found !== before && found
      },
      { what: 'a heartbeat of the new process', timeout: 30_000 },
    )
    const assignments = new Bucket(this.#rig.coordinator, 'mr_assign', assignmentDocument)
    const revision = (await assignments.read(key))?.revision ?? 0
    await assignments.update(key, { term: 1, startId: startId || '', actors }, revision)
  }

  /** What it says of one of its actors. */
  async report(id: string) {
    const instances = new Bucket(this.#rig.coordinator, 'mr_instances', instanceDocument)
    return (await instances.read(key))?.value.actors.find(actor => actor.id === id)
  }

  /** Ends the process; gives its exit code, or null where a signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null | undefined> {
    this.#child?.kill(signal)
    await this.#exited
    return this.#child?.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
  }
}
