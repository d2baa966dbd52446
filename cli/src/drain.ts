/** `millrace drain`: an instance gives its lanes away before it is stopped. */
import { setTimeout as wait } from 'node:timers/promises'
import {
  askControl,
  Bucket,
  type Bus,
  type InstanceDocument,
  instanceDocument,
  type ServiceName,
  serviceNames,
  UnknownOutcomeError,
} from '@millrace/bus'
import { CommandError } from './errors.ts'
import { accepted, withBus } from './installation.ts'
import { isLane, shownKey } from './status-report.ts'
import type { Terminal } from './terminal.ts'

/** A drain takes 10 s at most (R13), and the coordinator some more to place the lanes. */
const patience = 30_000

/** Asks an instance to drain and returns when it has no lanes any more. */
export async function drain(name: string, terminal: Terminal): Promise<void> {
  const { service, instance } = parse(name)
  await withBus(terminal, async bus => {
    const known = await readInstances(bus)
    if (!known.has(name))
      throw new CommandError(
        'failed',
        `there is no instance ${name}; there are: ${[...known.keys()].sort().join(', ') || 'none'}`,
      )
    accepted(await ask(bus, { service, instance }, name))
    terminal.err(`${name} drains`)
    const until = performance.now() + patience
    for (;;) {
      const left =
        (await readInstances(bus)).get(name)?.actors.filter(actor => isLane(actor) && actor.state !== 'stopped') ?? []
      if (left.length === 0) return terminal.out(`${name} has no lanes any more; it may be stopped`)
      if (performance.now() > until) {
        throw new CommandError(
          'failed',
          `${name} still runs ${left.map(({ id }) => id).join(', ')}; see millrace status`,
        )
      }
      await wait(250, undefined, { signal: terminal.signal })
    }
  })
}

async function ask(bus: Bus, to: { service: ServiceName; instance: string }, name: string): Promise<unknown> {
  try {
    return await askControl(bus, to, { op: 'drain' })
  } catch (cause) {
    if (!(cause instanceof UnknownOutcomeError)) throw cause
    throw new CommandError('unreachable', `${name} does not answer; is it running?`, { cause })
  }
}

function parse(name: string): { service: ServiceName; instance: string } {
  const dot = name.indexOf('.')
  const service = serviceNames.find(known => known === name.slice(0, dot))
  if (service !== undefined && dot < name.length - 1) return { service, instance: name.slice(dot + 1) }
  throw new CommandError(
    'invalid',
    `${name} is no instance; expected <service>.<instance>, such as kafka-egress.1: millrace status lists them`,
  )
}

async function readInstances(bus: Bus): Promise<ReadonlyMap<string, InstanceDocument>> {
  const entries = await new Bucket(bus, 'mr_instances', instanceDocument).list()
  return new Map([...entries].map(([key, { value }]) => [shownKey(key), value]))
}
