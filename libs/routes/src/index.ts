export { type Change, diff, type FieldChange, meaningOf, type Snapshot } from './change.ts'
export {
  type Connection,
  type KafkaAuth,
  type KafkaConnection,
  type MqttAuth,
  type MqttConnection,
  mqttEndpoint,
  type SaslMechanism,
  type SecretReference,
  type Tls,
} from './connection.ts'
export type { SourceFile } from './document.ts'
export { compileExpression } from './expression.ts'
export { type BusFacts, type Guarantee, guaranteeOf, type Lowered } from './guarantee.ts'
export { type DocumentProblem, formatProblem, type Place } from './problem.ts'
export { type Documents, readDocuments } from './read.ts'
export {
  type KafkaBatch,
  type KafkaSink,
  largestRecord,
  type MqttSource,
  type Route,
  type TopicToCreate,
} from './route.ts'
export {
  type Credentials,
  resolveCredentials,
  SecretError,
  type SecretPlaces,
  type SecretSource,
  secretSource,
} from './secrets.ts'
export {
  connectionDocument,
  parseStored,
  routeDocument,
  type Stored,
  storedConnection,
  type StoredProblem,
  storedRoute,
  type StoredSpecs,
} from './stored.ts'
export { compileTemplate, isTemplate } from './template.ts'
export { ExpressionError, type ExpressionInput } from './variables.ts'
