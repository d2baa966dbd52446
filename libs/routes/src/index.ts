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
export { compileExpression } from './expression.ts'
export {
  type KafkaBatch,
  type KafkaSink,
  largestRecord,
  type MqttSource,
  type Route,
  type TopicToCreate,
} from './route.ts'
export { compileTemplate, isTemplate } from './template.ts'
export { ExpressionError, type ExpressionInput } from './variables.ts'
