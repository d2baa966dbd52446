/** A service as a process: settings, log, pages, NATS, signals, and how it ends. */
import { randomUUID } from 'node:crypto'
import { connectBus, type Problem, StoppedError } from '@millrace/bus'
import { secretSource } from '@millrace/routes'
import { exposition, type Log, openLog, Redactor } from '@millrace/telemetry'
import type { z } from 'zod'
import { ReplacedError } from './heartbeat.ts'
import { Instance } from './instance.ts'
import { Lease } from './lease.ts'
import { processFamilies } from './metrics.ts'
import { servePages } from './pages.ts'
import type { Service } from './service.ts'
import { readSettings, type Settings } from './settings.ts'

/** How a service's process ends; the numbers are those of sysexits.h. */
export const exitCodes = {
  /** It was told to stop, and has drained. */
  stopped: 0,
  /** A defect: the log says which. */
  defect: 70,
  /** Another process runs under the name of this instance. */
  replaced: 75,
  /** The settings are wrong, or the port is taken: starting again does not help. */
  settings: 78,
} as const

/** Milliseconds for the last lines of the log. */
const lastWords = 500

/** Runs a service until SIGTERM or SIGINT, then ends the process. A second signal ends it at once. */
export async function runService<S extends z.ZodRawShape>(service: Service<S>): Promise<never> {
  const redactor = new Redactor()
  const read = readSettings(service.settings, process.env)
  const settings = 'settings' in read ? read.settings : undefined
  const log = openLog({
    level: settings?.logLevel ?? 'info',
    base: { service: service.name, ...(settings && { instance: settings.instance }) },
    redactor,
    stream: process.stdout,
  })
  if ('problems' in read) {
    for (const problem of read.problems) log.logger.fatal({ problem }, 'wrong setting')
    return end(log, exitCodes.settings)
  }
  for (const secret of read.secrets) redactor.add(secret)
  endOnDefects(log)
  try {
    return await end(log, await run(service, read.settings, { log, redactor, stop: untilSignalled(log) }))
  } catch (error) {
    log.logger.fatal({ err: error }, 'defect')
    return end(log, exitCodes.defect)
  }
}

interface Running {
  log: Log
  redactor: Redactor
  stop: AbortSignal
}

/** Returns the exit code. */
async function run<S extends z.ZodRawShape>(
  service: Service<S>,
  settings: Settings<S>,
  { log, redactor, stop }: Running,
): Promise<number> {
  const { logger } = log
  let instance: Instance<S> | undefined
  let unreachable: Problem | undefined
  using figures = processFamilies(service.name)
  try {
    await using pages = await servePages(
      {
        notReady: () =>
          instance === undefined ? redactor.clean(unreachable?.message ?? 'starting') : instance.notReady,
        metrics: () => exposition([...(instance?.families() ?? []), ...figures.families()]),
      },
      { host: settings.httpHost, port: settings.httpPort },
    )
    logger.info({ port: pages.port, host: settings.httpHost }, 'pages: /livez /readyz /metrics')
    await using bus = await connectBus({
      url: settings.natsUrl,
      ...(settings.natsCa !== undefined && { caFile: settings.natsCa }),
      user: service.name,
      ...(settings.natsPassword !== undefined && { password: settings.natsPassword }),
      name: `${service.name} ${settings.instance}`,
      signal: stop,
      tell(problem) {
        unreachable = problem
        if (problem === undefined) logger.info('NATS is connected')
        else logger.warn({ code: problem.code }, problem.message)
      },
    })
    instance = new Instance(service, {
      settings,
      bus,
      startId: randomUUID(),
      lease: new Lease(performance.now(), Date.now()),
      log: logger,
      redactor,
      secret: secretsOf(settings, redactor),
      conceal: token => redactor.addPassing(token),
    })
    await instance.run(stop)
  } catch (error) {
    return exitCodeOf(error, log)
  }
  logger.info('stopped')
  return exitCodes.stopped
}

function exitCodeOf(error: unknown, { logger }: Log): number {
  // Stopped before NATS was reached.
  if (error instanceof StoppedError) return exitCodes.stopped
  if (error instanceof ReplacedError) {
    logger.fatal(error.message)
    return exitCodes.replaced
  }
  if (error instanceof Error && 'syscall' in error && error.syscall === 'listen') {
    logger.fatal({ err: error }, 'MILLRACE_HTTP_HOST and MILLRACE_HTTP_PORT: nothing can listen there')
    return exitCodes.settings
  }
  throw error
}

/** Parts of secrets that anybody may see, and that are words which logs need. */
const open = new Set(['username', 'ca.crt', 'tls.crt'])

function secretsOf(settings: { secretsDir: string }, redactor: Redactor) {
  const secrets = secretSource({ folder: settings.secretsDir, env: process.env })
  return async (name: string, key: string) => {
    const value = await secrets(name, key)
    if (!open.has(key)) redactor.add(value)
    return value
  }
}

function untilSignalled(log: Log): AbortSignal {
  const stop = new AbortController()
  const signalled = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) void end(log, exitCodes.stopped)
    log.logger.info({ signal }, 'draining')
    stop.abort()
  }
  process.on('SIGTERM', signalled)
  process.on('SIGINT', signalled)
  return stop.signal
}

function endOnDefects(log: Log): void {
  const defect = (error: unknown) => {
    log.logger.fatal({ err: error }, 'defect')
    void end(log, exitCodes.defect)
  }
  process.on('uncaughtException', defect)
  process.on('unhandledRejection', defect)
}

async function end(log: Log, code: number): Promise<never> {
  await log.flush(lastWords)
  process.exit(code)
}
