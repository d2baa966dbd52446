import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  type ActorAssignment,
  assignmentDocument,
  Bucket,
  instanceDocument,
  instanceKey,
  routesDocument,
} from '@millrace/bus'
import { storedConnection, storedRoute } from '@millrace/routes'
import { eventually } from '@millrace/testkit'
import { passwords, type Rig } from './rig.ts'

const main = new URL('../src/main.ts', import.meta.url).pathname
const key = instanceKey('mqtt-ingress', 'one')

/** The service as it runs in earnest: a process, which a coordinator's hand tells what to do. */
export class Process implements AsyncDisposable {
  readonly #rig: Rig
  #child: ChildProcess | undefined
  #exited: Promise<unknown> = Promise.resolve()

  constructor(rig: Rig) {
    this.#rig = rig
  }

  /** Writes the route, as the coordinator does when a user applies it. */
  async apply(): Promise<void> {
    const { route, connections } = this.#rig.documents({})
    const stored = connections.map(connection => [connection.name, storedConnection(connection)])
    await new Bucket(this.#rig.coordinator, 'mr_routes', routesDocument).create('current', {
      installation: 'test',
      connections: Object.fromEntries(stored),
      routes: { [route.name]: { uid: 'u', version: 1, spec: storedRoute(route) } },
    })
  }

  /** Starts the process, and gives it the actor once it has said who it is. */
  async start(actor: ActorAssignment): Promise<void> {
    const instances = new Bucket(this.#rig.coordinator, 'mr_instances', instanceDocument)
    const before = (await instances.read(key))?.value.startId
    this.#child = spawn(process.execPath, [main], {
      env: {
        PATH: process.env['PATH'],
        MILLRACE_NATS_URL: this.#rig.nats.url,
        MILLRACE_NATS_PASSWORD: passwords['mqtt-ingress'],
        MILLRACE_INSTANCE: 'one',
      },
      stdio: 'ignore',
    })
    this.#exited = once(this.#child, 'exit')
    const startId = await eventually(
      async () => {
        const found = (await instances.read(key))?.value.startId
        return found !== before && found
      },
      { what: 'a heartbeat of the new process' },
    )
    const assignments = new Bucket(this.#rig.coordinator, 'mr_assign', assignmentDocument)
    const revision = (await assignments.read(key))?.revision ?? 0
    await assignments.update(key, { term: 1, startId: startId || '', actors: [actor] }, revision)
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
