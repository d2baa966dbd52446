/** What an actor's context says to the engine of its side of the lane, whatever its protocol. */
import type { ActorAssignment, AppenderOptions, ServiceName } from '@millrace/bus'
import { type DeliverOptions, pathThrough, Tap } from '@millrace/lane'
import { compileExpression, sourceService } from '@millrace/routes'
import type { ActorContext } from './service.ts'

/** Which lane a source actor of this service writes, whose it is, and whether it still may (R11). */
export function sourceSide(
  service: ServiceName,
  { route, lane, uid, epoch }: ActorAssignment,
  { bus, signal, fresh, allowed }: ActorContext,
): Omit<AppenderOptions, 'start' | 'tell'> {
  return { bus, lane: { service, route, lane }, uid, epoch, signal, mayWrite: () => fresh() || allowed() }
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
  const { bus, installation, route, signal, draining, counts, latency, fresh, allowed } = context
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
    mayWrite: () => fresh() || allowed(),
    signal,
    draining,
    counts,
    latency,
    tap,
  }
}
