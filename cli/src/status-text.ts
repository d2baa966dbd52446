/** The report of `millrace status` as a page of text. */
import type { Status } from './status-report.ts'
import { table } from './table.ts'

/** Renders a report. What is worth a look stands at the end, in whole sentences. */
export function renderStatus({ leader, routes, lanes, instances, problems }: Status): string {
  const head =
    leader === null
      ? 'No coordinator leads: data flows on, but nothing is placed, changed or trimmed. Is one running?'
      : `Led by coordinator.${leader.instance}, term ${leader.term}.`
  const blocks = [
    head,
    routes.length === 0
      ? 'There are no routes; begin with millrace apply -f examples/telemetry.'
      : table(
          ['ROUTE', 'GUARANTEE', 'IN/S', 'OUT/S', 'PENDING', 'DELIVERED', 'DEAD', 'FILTERED'],
          routes.map(route => [
            route.deleting ? `${route.name} (deleting)` : route.name,
            route.guarantee,
            ...[
              route.in,
              route.out,
              route.pending,
              route.totalOut,
              route.totalDead + route.refused,
              route.totalFiltered,
            ].map(count),
          ]),
        ),
    ...(lanes.length === 0
      ? []
      : [
          table(
            ['LANE', 'RUNS ON', 'STATE'],
            lanes.map(({ id, instance, state }) => [laneName(id), instance, state]),
          ),
        ]),
    table(
      ['INSTANCE', 'STATE', 'LANES', 'VERSION'],
      instances.map(({ name, state, lanes, version }) => [name, state, String(lanes), version]),
    ),
  ]
  const notes = [
    ...routes.flatMap(({ name, guarantee, lowered }) => lowered.map(reason => `${name} is ${guarantee}: ${reason}`)),
    ...lanes.flatMap(({ id, state, problem }) =>
      problem === undefined ? [] : [`${laneName(id)} is ${state}: ${problem.message}`],
    ),
    ...problems,
  ]
  return [...blocks, ...(notes.length === 0 ? [] : [notes.join('\n')])].join('\n\n')
}

const count = (number: number): string => Math.round(number).toLocaleString('en')

/** `source.telemetry.0` -> `telemetry/0 source`. */
function laneName(id: string): string {
  const [role, route, ...rest] = id.split('.')
  return `${route}/${rest.join('.')} ${role}`
}
