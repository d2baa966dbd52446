/** Bento, as its users run it: one hop, or two over JetStream. Needs a `bento` on the PATH. */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { start } from '@millrace/local'
import { startNats } from '@millrace/testkit'
import type { Job, Started, System } from './system.ts'
import type { Place } from './place.ts'

const peers = path.resolve(import.meta.dirname, '../peers')

/** Throws with what to do where there is no `bento` on the PATH. */
export function requireBento(): void {
  try {
    execFileSync('bento', ['--version'], { stdio: 'ignore' })
  } catch {
    throw new Error('--peer bento: there is no `bento` on the PATH; install it, or leave --peer out')
  }
}

function startBento(place: Place, file: string, variables: Record<string, string>) {
  const log = path.join(place.folder, `${file}.log`)
  return start('bento', ['run', path.join(peers, file)], { log, env: { ...process.env, ...variables } })
}

const places = (place: Place, job: Job) => ({
  MQTT_PORT: String(job.mqttPort),
  KAFKA_PORT: String(place.kafka.port),
  TOPIC: job.topic,
  ...(job.from !== undefined && { FROM: job.from }),
})

export const bentoOneHop: System = {
  name: 'Bento, one hop',
  start: (place, job) => {
    const bento = startBento(place, 'bento-one-hop.yaml', places(place, job))
    const stop = () => bento.kill('SIGKILL')
    const started: Started = { processes: { bento: bento.pid }, [Symbol.asyncDispose]: stop }
    return Promise.resolve(started)
  },
  prepare: (place, job) => {
    const stop = new AsyncDisposableStack()
    const processes: Record<string, number> = {}
    const begin = () => {
      const bento = startBento(place, `bento-${job.ends}.yaml`, places(place, job))
      stop.defer(() => bento.kill('SIGKILL'))
      processes['bento'] = bento.pid
      return Promise.resolve()
    }
    return Promise.resolve({ processes, begin, [Symbol.asyncDispose]: () => stop.disposeAsync() })
  },
}

export const bentoTwoHops: System = {
  name: 'Bento, two hops',
  start: async (place, job) => {
    const nats = await startNats()
    const variables = { ...places(place, job), NATS_PORT: String(nats.port) }
    await createStream(nats.url)
    const into = startBento(place, 'bento-two-hops-in.yaml', variables)
    const out = startBento(place, 'bento-two-hops-out.yaml', variables)
    return {
      processes: { in: into.pid, nats: nats.pid, out: out.pid },
      [Symbol.asyncDispose]: async () => {
        await Promise.all([into.kill('SIGKILL'), out.kill('SIGKILL')])
        await nats[Symbol.asyncDispose]()
      },
    }
  },
}

async function createStream(url: string): Promise<void> {
  const { connect } = await import('@nats-io/transport-node')
  const { jetstreamManager } = await import('@nats-io/jetstream')
  const nc = await connect({ servers: url })
  const manager = await jetstreamManager(nc)
  await manager.streams.add({ name: 'BENTO', subjects: ['bento.>'] })
  await nc.close()
}
