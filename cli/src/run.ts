/** A command from its arguments to its exit code. Whatever happens, the user reads a sentence, never a stack. */
import { CommanderError } from 'commander'
import { CommandError, exitCodes } from './errors.ts'
import { program } from './program.ts'
import type { Terminal } from './terminal.ts'

/** Runs `millrace` with these arguments; returns the exit code. Never throws. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await program(terminal).parseAsync(args, { from: 'user' })
    return exitCodes.ok
  } catch (error) {
    // Commander has said what there was to say: help that was asked for, or what is wrong with the arguments.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.invalid
    if (terminal.signal.aborted) return exitCodes.interrupted
    if (error instanceof CommandError) {
      terminal.err(`millrace: ${error.message}`)
      return exitCodes[error.ending]
    }
    terminal.err(`millrace: a defect: ${error instanceof Error ? error.message : String(error)}`)
    return exitCodes.failed
  }
}
