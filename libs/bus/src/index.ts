export { type Append, type AppenderOptions, LaneAppender, openLane } from './append.ts'
export { Budget, type Hold } from './budget.ts'
export { Bus, type BusEvent, type BusOptions, connectBus } from './connect.ts'
export { askControl, serveControl } from './control.ts'
export { type DeadLetter, DeadLetters } from './deadletters.ts'
export {
  type ActorAssignment,
  type ActorReport,
  type ActorState,
  actorAssignment,
  actorReport,
  actorStates,
  type AssignmentDocument,
  assignmentDocument,
  type InstanceDocument,
  instanceDocument,
  type LeaderDocument,
  leaderDocument,
  type PositionDocument,
  positionDocument,
  type RoutesDocument,
  routesDocument,
  type ServiceName,
  serviceNames,
} from './documents.ts'
export {
  AlarmError,
  type AlarmCode,
  ConflictError,
  FencedError,
  PermissionError,
  type Problem,
  StoppedError,
  UnknownOutcomeError,
} from './errors.ts'
export { Bucket, type Change, type Entry, type Watcher } from './kv.ts'
export { checkPlace, checkPosition, type LaneEnd, type LaneHeader, readEnd } from './message.ts'
export {
  type BucketName,
  bucketNames,
  controlSubject,
  dataStream,
  deadLetterStream,
  deadLetterSubject,
  decodeToken,
  encodeToken,
  inboxPrefix,
  instanceKey,
  type LaneName,
  laneOfSubject,
  laneSubject,
  positionKey,
} from './names.ts'
export { peekLane } from './peek.ts'
export { type Owner, persist } from './persist.ts'
export {
  claimPosition,
  type KeptPosition,
  type Place,
  Position,
  type PositionOptions,
  readKeptPosition,
  recordsBehind,
  type Totals,
  writeKeptPosition,
} from './positions.ts'
export { type LaneBatch, LaneReader, type LaneReaderOptions, type Waiting } from './read.ts'
export {
  deleteRouteStreams,
  lanesOf,
  makeBucket,
  makeRouteStreams,
  type RouteStreams,
  streamInfo,
  trimLane,
} from './streams.ts'
export { authorityProblem } from './authority.ts'
export { natsUserNames, type NatsUserName, natsUsers, type UserName } from './users.ts'
