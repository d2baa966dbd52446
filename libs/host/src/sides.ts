/** What an actor's context says to the engine of its side of the lane, whatever its protocol. */
import type { ActorAssignment, AppenderOptions, Budget, ServiceName } from '@millrace/bus'
import { type DeliverOptions, pathThrough, Tap } from '@millrace/lane'
import { compileExpression, sourceService } from '@millrace/routes'
import type { ActorContext } from './service.ts'

/** R11, asked before everything that is sent: the lease is held, or the assignment was read again and names this actor. */
export function mayWrite({ fresh, allowed }: Pick<ActorContext, 'fresh' | 'allowed'>): boolean | Promise<boolean> {
  return fresh() || allowed()
}

/** Which lane a source actor of this service writes, whose it is, and whether it still may (R11). */
export function sourceSide(
  service: ServiceName,
  { route, lane, uid, epoch }: ActorAssignment,
  context: ActorContext,
): Omit<AppenderOptions, 'start' | 'tell'> & { budget: Budget } {
  const { bus, signal, budget } = context
  return { bus, lane: { service, route, lane }, uid, epoch, signal, budget, mayWrite: () => mayWrite(context) }
}

/**
 * The same of a sink actor, with what the route asks for on the way out. From now on it answers who looks in (`tap`).
 * Throws where the route's filter can't be compiled, as none can be that was checked.
 */
export function sinkSide(
  sinkService: ServiceName,
  { route: name, lane, uid, epoch }: ActorAssignment,
  context: ActorContext,
): Omit<DeliverOptions, 'sink' | 'state'> {
  const { bus, installation, route, signal, draining, counts, budget } = context
  const tap = new Tap()
  context.tap(request => tap.answer(request, signal))
  return {
    bus,
    lane: { service: sourceService(route), route: name, lane },
    sinkService,
    uid,
    epoch,
    ...(route.filter !== undefined && { filter: compileExpression(route.filter) }),
    path: pathThrough(installation, route),
    mayWrite: () => mayWrite(context),
    signal,
    draining,
    budget,
    counts,
    latency: traced(context),
    tap,
  }
}

/** Tells of each batch that is delivered, where the route is traced. */
function traced({ latency, log }: ActorContext): NonNullable<DeliverOptions['latency']> {
  if (!log.isLevelEnabled('trace')) return latency
  return {
    observe(seconds, records) {
      log.trace({ records, seconds }, 'delivered')
      latency.observe(seconds, records)
    },
  }
}
