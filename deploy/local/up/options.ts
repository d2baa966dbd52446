/** What `npm start` can be told. */
import { parseArgs } from 'node:util'

export const serviceNames = ['coordinator', 'mqtt-ingress', 'kafka-ingress', 'mqtt-egress', 'kafka-egress'] as const
export type LocalService = (typeof serviceNames)[number]

export interface Options {
  demo: boolean
  /** A folder of documents to apply instead of the example. */
  config: string | undefined
  /** How many processes of each service. */
  instances: Record<LocalService, number>
}

/** Something on the command line that can't be followed; the message says what can. */
export class UsageError extends Error {
  override name = 'UsageError'
}

const usage = `npm start -- [--no-demo] [--config DIR] [--instances SERVICE=N ...]

  --no-demo                  no simulated sensors
  --config DIR               apply the documents in DIR instead of examples/telemetry
  --instances SERVICE=N      how many processes of a service: ${serviceNames.join(', ')}

Servers that run already are used where these name them:
  MILLRACE_NATS_URL, MILLRACE_MQTT_URL, MILLRACE_KAFKA_BROKERS
`

const MOST_INSTANCES = 50

/** Reads the command line. Throws UsageError. */
export function readOptions(args: string[]): Options {
  const { values } = parsed(args)
  const ingress = { 'mqtt-ingress': 1, 'kafka-ingress': 1 }
  const instances: Record<LocalService, number> = { coordinator: 1, ...ingress, 'mqtt-egress': 1, 'kafka-egress': 1 }
  for (const wish of values.instances ?? []) {
    const [name, count] = wish.split('=')
    const service = serviceNames.find(known => known === name)
    if (service === undefined) throw new UsageError(`--instances ${wish}: there is no service ${name}\n\n${usage}`)
    if (!/^\d+$/.test(count ?? '') || Number(count) < 1 || Number(count) > MOST_INSTANCES) {
      throw new UsageError(`--instances ${wish}: expected a number from 1 to ${MOST_INSTANCES}, as in ${name}=3`)
    }
    instances[service] = Number(count)
  }
  return { demo: values['no-demo'] !== true, config: values.config, instances }
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        'no-demo': { type: 'boolean' },
        config: { type: 'string' },
        instances: { type: 'string', multiple: true },
      },
    })
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
  }
}
