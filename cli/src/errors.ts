/** How a command ends. Documented in `millrace --help`; scripts rely on it. */
export const exitCodes = { ok: 0, failed: 1, invalid: 2, unreachable: 3, interrupted: 130 } as const

/** A command that can't do what it was asked for. The message says what, where, and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly ending: 'failed' | 'invalid' | 'unreachable'

  constructor(ending: CommandError['ending'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.ending = ending
  }
}
