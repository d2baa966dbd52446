/** Documents for the tests of this folder: valid ones, to be spoiled one field at a time. */
import { formatProblem, readDocuments } from '@millrace/routes'

export const plant = `apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: plant }
spec:
  mqtt: { url: mqtt://127.0.0.1:1883 }
`

export const lake = `apiVersion: millrace.dev/v1
kind: Connection
metadata: { name: lake }
spec:
  kafka: { brokers: [127.0.0.1:9092] }
`

/** A route; `source` and `sink` are more fields of these, `rest` more lines of the spec. */
export function route({ source = '', sink = '', rest = '', topics = '[a/#]' } = {}): string {
  return `apiVersion: millrace.dev/v1
kind: Route
metadata: { name: telemetry }
spec:
  source: { connection: plant, topics: ${topics}${source} }
  sink: { connection: lake, topic: telemetry${sink} }
${rest}`
}

/** The three above, as one file `f` with the route first. */
export const together = (text: string): string => [text, plant, lake].join('---\n')

/** Every problem of a text, formatted; the text's own file is `f`. */
export const problemsOf = (text: string): string[] => readDocuments([{ file: 'f', text }]).problems.map(formatProblem)

/** The problems of a route that is spoiled so, among good connections. */
export const ofRoute = (...[change]: Parameters<typeof route>): string[] => problemsOf(together(route(change)))

/** The problems of a connection with this spec. */
export const ofConnection = (spec: string): string[] => problemsOf(plant.replace(/spec:[^]*/, `spec:\n  ${spec}\n`))

export const withoutPlace = (problem: string): string => problem.replace(/^\S+ /, '')

/** A route between any ends, each in YAML's flow style; `rest` is more lines of the spec. */
export function between(from: string, to: string, { name = 'r', rest = '' } = {}): string {
  return `apiVersion: millrace.dev/v1
kind: Route
metadata: { name: ${name} }
spec:
  source: { ${from} }
  sink: { ${to} }
${rest}`
}
