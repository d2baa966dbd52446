export { type Change, diff, type FieldChange, meaningOf, type Snapshot } from './change.ts'
export { prefixedId } from './client-id.ts'
export { type Connection, type Protocol, protocolOf } from './connection.ts'
export type { SourceFile } from './document.ts'
export { isEventHubs } from './event-hubs.ts'
export { compileExpression } from './expression.ts'
export { type BusFacts, type Guarantee, guaranteeOf, type Lowered } from './guarantee.ts'
export type {
  ClientSasl,
  KafkaAuth,
  KafkaConnection,
  ManagedIdentity,
  PasswordSasl,
  Sasl,
  TokenFileSasl,
} from './kafka-connection.ts'
export { type KafkaBatch, type KafkaSink, type TopicToCreate } from './kafka-sink.ts'
export type { KafkaSource } from './kafka-source.ts'
export type { KafkaStart } from './kafka-start.ts'
export { isTopicName, isTopicPattern, topicMatcher } from './kafka-topic.ts'
export {
  type MqttAuth,
  type MqttConnection,
  type MqttEndpoint,
  mqttEndpoint,
  type MqttToken,
} from './mqtt-connection.ts'
export type { MqttSink } from './mqtt-sink.ts'
export { isShared, type MqttSource } from './mqtt-source.ts'
export { type DocumentProblem, formatProblem, type Place } from './problem.ts'
export { secretsOf } from './properties/connection.ts'
export { type Documents, type Known, readDocuments } from './read.ts'
export {
  largestRecord,
  type Route,
  type Sink,
  sinkOf,
  sinkService,
  type Source,
  sourceOf,
  sourceService,
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
export type { SecretReference, Tls } from './tls.ts'
export { tlsAdvice } from './tls-error.ts'
export { ExpressionError, type ExpressionInput } from './variables.ts'
