/** NATS and a coordinator that runs as it does for users: its own process, its own NATS user. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { natsUsers } from '@millrace/bus'
import { bareEnvironment, eventually, freePort, guarded, startNats } from '@millrace/testkit'
import { type Ended, millrace } from './spawn.ts'

const passwords = {
  'mqtt-ingress': 'pw-of-mqtt-ingress',
  'kafka-ingress': 'pw-of-kafka-ingress',
  'mqtt-egress': 'pw-of-mqtt-egress',
  'kafka-egress': 'pw-of-kafka-egress',
  coordinator: 'pw-of-coordinator',
  cli: 'pw-of-cli',
}

/** An installation that is led, and has no routes and no other services. */
export interface Led extends AsyncDisposable {
  /** What the command line needs to reach it. */
  env: Record<string, string>
  cli(args: string[], input?: string): Promise<Ended>
}

/** Resolves when the coordinator has made its buckets. */
export async function startLed(): Promise<Led> {
  const stack = new AsyncDisposableStack()
  const nats = stack.use(await startNats({ users: natsUsers(passwords) }))
  const main = join(import.meta.dirname, '../../services/coordinator/src/main.ts')
  const coordinator = spawn(...guarded(process.execPath, [main]), {
    env: {
      ...bareEnvironment(),
      MILLRACE_NATS_URL: nats.url,
      MILLRACE_NATS_PASSWORD: passwords.coordinator,
      MILLRACE_INSTANCE: '1',
      MILLRACE_HTTP_PORT: String(await freePort()),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  stack.defer(async () => {
    coordinator.kill('SIGTERM')
    if (coordinator.exitCode === null) await once(coordinator, 'exit')
  })
  const env = { MILLRACE_NATS_URL: nats.url, MILLRACE_NATS_PASSWORD: passwords.cli }
  const cli = (args: string[], input = '') => millrace(args, { input, env })
  await eventually(async () => (await cli(['get'])).code === 0, { what: 'the coordinator has made its buckets' })
  return { env, cli, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}
