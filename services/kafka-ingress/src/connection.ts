/** The connections of an actor to its cluster, made anew until they hold. */
import { backoff, delay } from '@millrace/actor'
import { type ActorContext, mayWrite } from '@millrace/host'
import { type Cluster, KafkaError, openCluster, problemOf } from '@millrace/kafka'
import type { Problem } from '@millrace/lane'
import { BatchError } from '@millrace/record'

/** A connection that lasted so many milliseconds has held: the back-off begins anew. */
const heldAfter = 5_000

/** What is done with a cluster. */
export interface Work<T> {
  /** Whatever it throws but KafkaError and BatchError is a defect, or ends the actor. */
  act: (cluster: Cluster) => Promise<T>
  /** Why it has to be done again; what this throws ends the actor. */
  failed: (problem: Problem, error: unknown) => void
}

/**
 * Acts on the cluster, connected anew after each failure, until that succeeds; undefined where the actor is over before
 * (R11: before each connection, may I?).
 */
export async function keepConnected<T>(context: ActorContext, { act, failed }: Work<T>): Promise<T | undefined> {
  const { draining, signal } = context
  const over = AbortSignal.any([signal, draining])
  const wait = backoff()
  while (!over.aborted && (await mayWrite(context))) {
    const begun = performance.now()
    try {
      using cluster = await openCluster(context.source, context)
      return await act(cluster)
    } catch (error) {
      if (signal.aborted) return undefined
      failed(reasonOf(error), error)
    }
    if (performance.now() - begun >= heldAfter) wait.reset()
    await delay(wait.next(), over)
  }
  return undefined
}

/** What may pass, or can be put right from outside. Throws everything else. */
function reasonOf(error: unknown): Problem {
  if (error instanceof KafkaError) return problemOf(error)
  if (error instanceof BatchError) return { code: 'bad_batch', message: error.message }
  throw error
}
