/**
 * The log: JSON lines by pino. It never holds up the data path. A reader of our output that has stopped reading costs
 * lines, not records: what does not fit into a bound is dropped, counted, and told in the next line that goes through.
 */
import type { Writable } from 'node:stream'
import { type Logger, pino } from 'pino'
import type { Redactor } from './redactor.ts'

/** Bytes that may wait to be written before lines are dropped. */
const bound = 1 << 20

/** Where the log begins: its level, what stands on every line, and where lines go. */
export interface LogOptions {
  level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'
  /** On every line, e.g. `{service, instance}`. */
  base: Record<string, string>
  redactor: Redactor
  /** `process.stdout`: pipes and sockets are written without blocking. */
  stream: Writable
}

/** The log of a process. */
export interface Log {
  logger: Logger
  /** How many lines were dropped. */
  readonly dropped: number
  /** Resolves when everything is written, or after `ms` milliseconds: before an exit. */
  flush(ms: number): Promise<void>
}

/** Opens the log of a process. Errors are logged under `err`. */
export function openLog({ level, base, redactor, stream }: LogOptions): Log {
  let dropped = 0
  let untold = 0
  let gone = false
  // A reader that has gone away (EPIPE) is no reason to end: there is nobody left to tell.
  stream.on('error', () => {
    gone = true
  })
  const write = (line: string) => {
    if (gone || stream.writableLength > bound) {
      dropped++
      untold++
      return
    }
    stream.write(redactor.clean(line))
    if (untold > 0) {
      const lines = untold
      untold = 0
      logger.warn({ lines }, 'log lines were dropped: the output was not read fast enough')
    }
  }
  const logger = pino(
    { level, base, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: label => ({ level: label }) } },
    { write },
  )
  return {
    logger,
    get dropped() {
      return dropped
    },
    flush: ms =>
      new Promise(resolve => {
        const deadline = setTimeout(resolve, ms)
        stream.write('', () => {
          clearTimeout(deadline)
          resolve()
        })
      }),
  }
}
