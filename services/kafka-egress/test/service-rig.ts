/** Routes to Kafka, their lanes written by the test in the source's stead, and instances that deliver them. */
import { type ActorAssignment, assignmentDocument, Bucket, routesDocument } from '@millrace/bus'
import {
  type Documents,
  documentsFrom,
  documentsOf,
  type Installation,
  Instance,
  LaneSource,
  storedDocuments,
} from '@millrace/testkit'

const main = new URL('../src/main.ts', import.meta.url)

/** Makes these routes: name to the flow-style YAML of their `sink`, without its connection. */
export async function applyRoutes(
  installation: Installation,
  broker: string,
  sinks: { [route: string]: string },
): Promise<void> {
  await store(installation, documentsOf(sinks, broker))
}

/** The same from Kafka, with `delivery: exactlyOnce`. */
export async function applyExactRoutes(
  installation: Installation,
  broker: string,
  sinks: { [route: string]: string },
): Promise<void> {
  const routes = Object.entries(sinks).map(([name, sink]): Parameters<typeof documentsFrom>[number] => {
    const spec = `{ source: { connection: lake, topics: [in] }, sink: { connection: lake, ${sink} }, delivery: exactlyOnce }`
    return ['Route', name, spec]
  })
  await store(installation, documentsFrom(['Connection', 'lake', { kafka: { brokers: [broker] } }], ...routes))
}

async function store(installation: Installation, documents: Documents): Promise<void> {
  await new Bucket(installation.coordinator, 'mr_routes', routesDocument).create('current', storedDocuments(documents))
  for (const { name } of documents.routes) await installation.route(name)
}

/** What a coordinator assigns for a route's lane. */
export const actorOf = (route: string, epoch: number): ActorAssignment => ({
  id: `sink.${route}.0`,
  role: 'sink',
  route,
  uid: route.toUpperCase(),
  lane: '0',
  epoch,
  version: 1,
})

export const instanceOf = (installation: Installation, name: string): Instance =>
  new Instance({ installation, service: 'kafka-egress', main, name })

/** Opens a route's lane in its source's stead. */
export const openSource = (
  installation: Installation,
  route: string,
  service: 'mqtt-ingress' | 'kafka-ingress' = 'mqtt-ingress',
): Promise<LaneSource> => LaneSource.open(installation, { service, route, lane: '0' })

/** Gives an instance that was assigned to before this instead. */
export async function reassign(installation: Installation, name: string, actor: ActorAssignment): Promise<void> {
  const bucket = new Bucket(installation.coordinator, 'mr_assign', assignmentDocument)
  const entry = await bucket.read(`kafka-egress.${name}`)
  if (entry === undefined) throw new Error(`${name} was assigned nothing yet`)
  await bucket.update(`kafka-egress.${name}`, { ...entry.value, actors: [actor] }, entry.revision)
}
