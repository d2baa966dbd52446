/** An installation as the command line reaches it: its documents over NATS, and its coordinator's leader. */
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import {
  AlarmError,
  askControl,
  authorityProblem,
  Bucket,
  type Bus,
  connectBus,
  leaderDocument,
  PermissionError,
  type RoutesDocument,
  routesDocument,
  StoppedError,
  UnknownOutcomeError,
} from '@millrace/bus'
import { parseStored, type Stored } from '@millrace/routes'
import { z } from 'zod'
import { CommandError } from './errors.ts'
import type { Terminal } from './terminal.ts'

/** How long a command tries to reach NATS, in milliseconds. */
const connecting = 5_000
/** How long it looks for a leader, and waits for its answer: longer than an election. */
const patience = 10_000

/** What is answered to a request: what was asked for, or why not. */
const answer = z.union([
  z.looseObject({ ok: z.literal(true) }),
  z.object({ ok: z.literal(false), problem: z.object({ code: z.string(), message: z.string() }) }),
])

/** A request that was refused, with the refusing side's own code. */
class RefusedError extends CommandError {
  readonly code: string

  constructor(code: string, message: string) {
    super(code === 'invalid' ? 'invalid' : 'failed', message)
    this.code = code
  }
}

/** Connects as `MILLRACE_NATS_URL` and `MILLRACE_NATS_PASSWORD` say, runs the command, and closes. */
export async function withBus<T>(terminal: Terminal, command: (bus: Bus) => Promise<T>): Promise<T> {
  let why = 'no answer'
  const url = terminal.env['MILLRACE_NATS_URL'] || 'nats://127.0.0.1:4222'
  const password = readPassword(terminal.env)
  const caFile = terminal.env['MILLRACE_NATS_CA'] || undefined
  const problem = caFile && authorityProblem(caFile)
  if (problem) throw new CommandError('invalid', `MILLRACE_NATS_CA: ${problem}`)
  try {
    await using bus = await connectBus({
      url,
      user: 'cli',
      ...(password === undefined ? {} : { password }),
      ...(caFile === undefined ? {} : { caFile }),
      name: 'millrace',
      signal: AbortSignal.any([AbortSignal.timeout(connecting), terminal.signal]),
      tell: problem => (why = problem?.message ?? why),
    })
    return await command(bus)
  } catch (error) {
    throw understood(error, why)
  }
}

function readPassword(env: Terminal['env']): string | undefined {
  const file = env['MILLRACE_NATS_PASSWORD_FILE']
  if (!file) return env['MILLRACE_NATS_PASSWORD'] || undefined
  try {
    return readFileSync(file, 'utf8').trimEnd()
  } catch (cause) {
    throw new CommandError('invalid', `MILLRACE_NATS_PASSWORD_FILE: ${file} can't be read`, { cause })
  }
}

function understood(error: unknown, why: string): unknown {
  if (error instanceof StoppedError) {
    const hint = /authorization/i.test(why)
      ? 'set MILLRACE_NATS_PASSWORD or MILLRACE_NATS_PASSWORD_FILE to the password of the NATS user cli'
      : 'set MILLRACE_NATS_URL, or start it with npm start'
    return new CommandError('unreachable', `${why}; ${hint}`)
  }
  if (error instanceof UnknownOutcomeError) return new CommandError('unreachable', error.message, { cause: error })
  if (error instanceof PermissionError || error instanceof AlarmError)
    return new CommandError('failed', error.message, { cause: error })
  if (isRefusalOfNats(error)) {
    const hint = 'is a coordinator running? It makes what is missing'
    return new CommandError('failed', `NATS refused: ${error.message}; ${hint}`, { cause: error })
  }
  return error
}

/** The routes and connections that apply now. Where none ever did, empty, at revision 0. */
export async function readRoutes(bus: Bus): Promise<Stored & { revision: number; document: RoutesDocument }> {
  const entry = await new Bucket(bus, 'mr_routes', routesDocument).read('current')
  const document = entry?.value ?? { installation: '', connections: {}, routes: {} }
  const specs = Object.entries(document.routes).map(([name, { spec }]) => [name, spec])
  const stored = parseStored({ connections: document.connections, routes: Object.fromEntries(specs) })
  return { ...stored, revision: entry?.revision ?? 0, document }
}

/**
 * Asks the leader of the coordinators, which may just be changing. A request that may have been heard is not repeated.
 * Throws `RefusedError`, or `CommandError` (unreachable).
 */
export async function askLeader(bus: Bus, request: object, signal: AbortSignal): Promise<Record<string, unknown>> {
  const until = performance.now() + patience
  for (;;) {
    const reply = await askOnce(bus, await findLeader(bus, until, signal), request)
    if (reply !== 'not heard') return reply
    await wait(250, undefined, { signal })
  }
}

/** Waits until a coordinator leads: until then nothing of an installation may be there. Throws `CommandError`. */
export async function untilLed(bus: Bus, signal: AbortSignal): Promise<void> {
  await findLeader(bus, performance.now() + patience, signal)
}

async function findLeader(bus: Bus, until: number, signal: AbortSignal): Promise<string> {
  const leaders = new Bucket(bus, 'mr_leader', leaderDocument)
  while (performance.now() <= until) {
    const leader = await leaders.read('leader').catch(notMadeYet)
    if (leader !== undefined && leader.value.released !== true) return leader.value.instance
    await wait(250, undefined, { signal })
  }
  throw new CommandError('unreachable', 'no coordinator leads this installation; is one running?')
}

/** A coordinator that has just begun makes the buckets first: until then there is no leader. */
function notMadeYet(error: unknown): undefined {
  if (!isRefusalOfNats(error)) throw error
}

function isRefusalOfNats(error: unknown): error is Error {
  return error instanceof Error && /^(JetStreamApi|StreamNotFound)Error$/.test(error.name)
}

async function askOnce(bus: Bus, instance: string, request: object): Promise<Record<string, unknown> | 'not heard'> {
  try {
    return accepted(await askControl(bus, { service: 'coordinator', instance, timeout: patience }, request))
  } catch (error) {
    if (isUnheard(error)) return 'not heard'
    if (!(error instanceof UnknownOutcomeError)) throw error
    const message = 'the coordinator did not answer, and may have done it or not; see millrace status, and try again'
    throw new CommandError('unreachable', message, { cause: error })
  }
}

/** What a reply says, where it says yes. Throws `RefusedError`. */
export function accepted(reply: unknown): Record<string, unknown> {
  const read = answer.safeParse(reply)
  if (!read.success)
    throw new CommandError(
      'failed',
      'the answer was not understood; is it of another version than this command? See millrace status',
    )
  if (read.data.ok) return read.data
  throw new RefusedError(read.data.problem.code, read.data.problem.message)
}

/** Nobody listened, or who did is no longer the leader. */
function isUnheard(error: unknown): boolean {
  if (error instanceof RefusedError) return error.code === 'not_leader'
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause.name === 'NoResponders') return true
  return false
}
