import type { RoutesDocument } from '@millrace/bus'
import { type Connection, readDocuments, type Route, storedConnection, storedRoute } from '@millrace/routes'

/** What users write, read and checked. */
export interface Documents {
  connections: Connection[]
  routes: Route[]
}

/**
 * Documents for routes of these names, from `plant`, an MQTT broker that nobody listens at, to `lake`; each with the fields
 * of its sink in YAML's flow style but for the connection, like `topic: t, partition: lane`. Throws where they are not
 * good. `broker` is Kafka's.
 */
export function documentsOf(sinks: { readonly [route: string]: string }, broker = '127.0.0.1:9092'): Documents {
  return documentsFrom(
    ['Connection', 'plant', '{ mqtt: { url: "mqtt://127.0.0.1:1883" } }'],
    ['Connection', 'lake', `{ kafka: { brokers: ["${broker}"] } }`],
    ...Object.entries(sinks).map(([name, sink]): Written => {
      return ['Route', name, `{ source: { connection: plant, topics: [a] }, sink: { connection: lake, ${sink} } }`]
    }),
  )
}

/** Kind, name and spec of a document: the spec as an object, or in YAML's flow style. */
type Written = [kind: 'Connection' | 'Route', name: string, spec: object | string]

/** Documents as users write them, read and checked. Throws where they are not good. */
export function documentsFrom(...written: Written[]): Documents {
  const text = written
    .map(([kind, name, spec]) => {
      const specText = typeof spec === 'string' ? spec : JSON.stringify(spec)
      return `apiVersion: millrace.dev/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${specText}\n`
    })
    .join('---\n')
  const { connections, routes, problems } = readDocuments([{ file: 'test.yaml', text }])
  if (problems.some(({ severity }) => severity === 'error')) throw new Error(JSON.stringify(problems))
  return { connections, routes }
}

/** As the bus keeps them. A route's uid is its name in capitals. */
export function storedDocuments({ connections, routes }: Documents, version = 1): RoutesDocument {
  return {
    installation: 'test',
    connections: Object.fromEntries(connections.map(one => [one.name, storedConnection(one)])),
    routes: Object.fromEntries(
      routes.map(route => [route.name, { uid: route.name.toUpperCase(), version, spec: storedRoute(route) }]),
    ),
  }
}
