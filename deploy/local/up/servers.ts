/** The real servers of this machine, kept running; or the ones that the environment names. */
import path from 'node:path'
import { ensureTools, PortTakenError, startKafka, startMosquitto, startNats } from '../index.mjs'
import { Kept } from './keep.ts'

const NATS_PORT = 4222
const NATS_MONITOR_PORT = 8222
const MQTT_PORT = 1883
const KAFKA_PORT = 9092
const KAFKA_CONTROLLER_PORT = 9093

/** Where the servers are, and those of them that we run. */
export interface Servers {
  kept: Kept[]
  natsUrl: string
  natsMonitorUrl: string | undefined
  mqttUrl: string
  kafkaBrokers: string[]
  /** Whether NATS is ours, and so asks for our passwords. */
  ownNats: boolean
}

export interface ServerOptions {
  /** Their data and logs. */
  folder: string
  /** The accounts block for nats-server. */
  users: string
  tell: (line: string) => void
}

/** Starts what is not given by the environment. PortTakenError says how to go on. */
export async function startServers(options: ServerOptions): Promise<Servers> {
  const { MILLRACE_NATS_URL: nats, MILLRACE_MQTT_URL: mqtt, MILLRACE_KAFKA_BROKERS: kafka } = process.env
  const starting = [
    nats ? [] : keep('nats-server', 'MILLRACE_NATS_URL', () => natsStarter(options), options),
    mqtt ? [] : keep('mosquitto', 'MILLRACE_MQTT_URL', () => mosquittoStarter(options), options),
    kafka ? [] : keep('kafka', 'MILLRACE_KAFKA_BROKERS', () => kafkaStarter(options), options),
  ].flat()
  const ended = await Promise.allSettled(starting)
  const kept = ended.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = ended.find(one => one.status === 'rejected')
  if (failed !== undefined) {
    await Promise.all(kept.map(one => one.stop()))
    throw failed.reason
  }
  return {
    kept,
    natsUrl: nats || `nats://127.0.0.1:${NATS_PORT}`,
    natsMonitorUrl: nats ? process.env['MILLRACE_NATS_MONITOR_URL'] : `http://127.0.0.1:${NATS_MONITOR_PORT}`,
    mqttUrl: mqtt || `mqtt://127.0.0.1:${MQTT_PORT}`,
    kafkaBrokers: kafka ? kafka.split(',') : [`127.0.0.1:${KAFKA_PORT}`],
    ownNats: !nats,
  }
}

type Start = Parameters<typeof Kept.start>[1]

async function keep(name: string, variable: string, starter: () => Promise<Start>, { tell }: ServerOptions) {
  try {
    const kept = await Kept.start(name, await starter(), tell)
    tell(`${name} runs (process ${kept.pid})`)
    return kept
  } catch (error) {
    if (!(error instanceof PortTakenError)) throw error
    throw new PortTakenError(
      `${error.message}. If that is a ${name} that you want to use, name it in ${variable}; if it is an earlier ` +
        '`npm start`, end that one first.',
    )
  }
}

async function natsStarter({ folder, users }: ServerOptions): Promise<Start> {
  const { 'nats-server': tool } = await ensureTools(['nats-server'])
  const place = path.join(folder, 'nats')
  const ports = { port: NATS_PORT, monitorPort: NATS_MONITOR_PORT }
  return () => startNats({ binary: tool.path, folder: place, users, ...ports })
}

async function mosquittoStarter({ folder }: ServerOptions): Promise<Start> {
  const { mosquitto } = await ensureTools(['mosquitto'])
  const place = path.join(folder, 'mosquitto')
  return () => startMosquitto({ binary: mosquitto.path, folder: place, port: MQTT_PORT })
}

async function kafkaStarter({ folder }: ServerOptions): Promise<Start> {
  const { kafka } = await ensureTools(['kafka'])
  const ports = { port: KAFKA_PORT, controllerPort: KAFKA_CONTROLLER_PORT }
  return () => startKafka({ jars: kafka.path, folder: path.join(folder, 'kafka'), ...ports })
}
