export { type Backoff, backoff } from './backoff.ts'
export {
  type Actor,
  type Decision,
  type Life,
  type Reason,
  type State,
  supervise,
  type Supervision,
} from './supervise.ts'
export { aborted, delay, unlessAborted } from './wait.ts'
