/** Documents that tests apply, as YAML. */

/** What of a route a test may want otherwise. */
interface Otherwise {
  /** The source's connection. */
  connection?: string
  /** More fields of the source. */
  source?: string
  /** The sink's connection, and its fields. */
  sink?: string
  buffer?: string
  deadLetters?: string
  /** More lines of the route. */
  more?: string
}

/** A route `name` from `name/#` to the topic `name`. */
export function route(name: string, otherwise: Otherwise = {}): string {
  const { connection = 'plant', source = '', sink = `lake, topic: ${name}`, more = '' } = otherwise
  const { buffer = '64MiB', deadLetters = '64MiB' } = otherwise
  return `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: ${name} }
spec:
  source: { connection: ${connection}, topics: ['${name}/#', '$${name}/#']${source} }
  sink: { connection: ${sink} }
  buffer: { maxBytes: ${buffer} }
  deadLetters: { maxBytes: ${deadLetters} }
${more}`
}

/** A connection; `spec` is the protocol and its fields. */
export function connection(name: string, spec: string): string {
  return `
apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: ${name} }
spec: { ${spec} }
`
}

/** An MQTT connection that notices within two seconds that its broker is silent. */
export const mqtt = (name: string, url: string, more = ''): string =>
  connection(name, `mqtt: { url: '${url}', keepAlive: 1s${more} }`)

/** A Kafka connection. */
export const kafka = (name: string, broker: string, more = ''): string =>
  connection(name, `kafka: { brokers: ['${broker}']${more} }`)

/** Several documents as one. */
export const together = (...documents: string[]): string => documents.join('---')
