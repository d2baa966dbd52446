/** A service for tests: its actors tell in the log what happens to them. What an actor does is in its route's name. */
import { aborted, delay } from '@millrace/actor'
import { AlarmError, FencedError } from '@millrace/bus'
import { type ActorContext, type PlacedService, runService } from '@millrace/host'
import { z } from 'zod'

const service: PlacedService = {
  name: 'kafka-egress',
  settings: { probeSecret: z.string().optional().describe('For tests.').meta({ secret: true }) },
  async start(actor, context) {
    const { log, signal, draining, latency } = context
    const tell = (event: string) => log.info({ event, epoch: actor.epoch, retire: actor.retire }, event)
    if (actor.route === 'fails') throw new Error('broken')
    if (actor.route === 'fenced') throw new FencedError('another owner')
    if (actor.route === 'alarm' && actor.epoch === 5) throw new AlarmError('lane_gap', 'records are gone')
    if (actor.route === 'stubborn') await new Promise(() => {})
    tell('started')
    if (actor.retire === true) return tell('retired')
    if (actor.route === 'secret') log.info({ event: 'secret' }, await context.secret('login', 'password'))
    if (actor.role === 'lister' && actor.version === 1) context.lanes(['t/0', 't/1'])
    context.tap(async ({ after }) => ({ samples: [], after }))
    context.state('running')
    latency.observe(0.004)
    if (actor.route === 'curious') await ask(context, tell)
    else await write(context, tell)
    if (actor.route === 'slow') await aborted(signal)
    tell(signal.aborted ? 'aborted' : draining.aborted ? 'drained' : 'given up')
  },
}

/** Asks every 20 ms, as one whose session was taken over does, however fresh the lease is. */
async function ask({ draining, allowed }: ActorContext, tell: (event: string) => void): Promise<void> {
  while (!draining.aborted) {
    tell((await allowed()) ? 'allowed' : 'refused')
    await delay(20, draining)
  }
}

/** "Writes" every 20 ms as a good actor does: only when it may (R11). */
async function write({ counts, draining, fresh, allowed }: ActorContext, tell: (event: string) => void): Promise<void> {
  while (!draining.aborted) {
    if (!fresh()) {
      tell('asks')
      if (!(await allowed())) return tell('refused')
      tell('allowed')
    }
    counts.out++
    tell('write')
    await delay(20, draining)
  }
}

await runService(service)
