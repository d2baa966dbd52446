export { Condition } from './condition.ts'
export { type Counts, newCounts } from './counts.ts'
export { exitCodes, runService } from './run-service.ts'
export type {
  ActorContext,
  ControlAnswer,
  PlacedService,
  Service,
  StandingContext,
  StandingService,
} from './service.ts'
export { mayWrite, sinkSide, sourceSide } from './sides.ts'
export { type Settings, settingsMissingFrom, settingsTable } from './settings.ts'
