/** What `/metrics` shows of a coordinator. */
import type { Family } from '@millrace/telemetry'
import type { Leader } from './leader.ts'
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
      help: 'Routes whose lanes can not be placed, and why.',
      type: 'gauge',
      series: problems.all.map(({ route, code }) => ({ labels: { route, code }, value: 1 })),
    },
  ]
}

function gauge(name: string, help: string, value: number): Family {
  return { name, help, type: 'gauge', series: [{ labels: {}, value }] }
}

function counter(name: string, help: string, value: number): Family {
  return { name, help, type: 'counter', series: [{ labels: {}, value }] }
}
