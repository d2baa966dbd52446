/** What `/metrics` shows of a coordinator. */
import type { Family } from '@millrace/telemetry'
import type { Leader } from './leader.ts'
import type { RouteProblem } from './problems.ts'
import type { Store } from './store.ts'

/** The metrics of a leader in its term; of a standby, that it is none. */
export function coordinatorMetrics(leader: Leader | undefined, term: number, { bad }: Pick<Store, 'bad'>): Family[] {
  const leads = gauge('millrace_coordinator_leader', 'Whether this coordinator leads.', leader === undefined ? 0 : 1)
  const spoilt = 'Documents in the buckets that were found to be none; the last good ones count.'
  const always = [leads, counter('millrace_coordinator_bad_documents_total', spoilt, bad)]
  if (leader === undefined) return always
  const { unplaced, placed, trimmer, problems, deaf } = leader
  return [
    ...always,
    gauge('millrace_coordinator_term', 'The term of the leader.', term),
    gauge('millrace_coordinator_unplaced_actors', 'Actors that ought to run and have no instance.', unplaced),
    gauge(
      'millrace_coordinator_deaf_instances',
      'Instances that heartbeat and do not see what they are told.',
      deaf.length,
    ),
    counter('millrace_coordinator_assignments_total', 'Actors given to an instance in this term.', placed),
    counter('millrace_coordinator_trimmed_messages_total', 'Delivered messages removed from lanes.', trimmer.removed),
    {
      name: 'millrace_coordinator_route_problem',
      help: 'Routes that something stands in the way of, and what.',
      type: 'gauge',
      series: oneEach(problems.all).map(({ route, code }) => ({ labels: { route, code }, value: 1 })),
    },
  ]
}

/** A route may have the same problem with several steps; a series must be there once. */
function oneEach(problems: readonly RouteProblem[]): RouteProblem[] {
  return [...new Map(problems.map(problem => [`${problem.route} ${problem.code}`, problem])).values()]
}

function gauge(name: string, help: string, value: number): Family {
  return { name, help, type: 'gauge', series: [{ labels: {}, value }] }
}

function counter(name: string, help: string, value: number): Family {
  return { name, help, type: 'counter', series: [{ labels: {}, value }] }
}
