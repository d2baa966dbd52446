/**
 * `millrace apply --watch`: what the files say applies, at the start and whenever they have changed and come to rest.
 * Files that are not valid are told and change nothing; a document that vanishes is told, and what it said stays: only
 * `millrace delete` ends a route.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Documents, SourceFile } from '@millrace/routes'
import { applyFiles } from './apply.ts'
import { CommandError } from './errors.ts'
import { readFiles } from './files.ts'
import type { Output, Terminal } from './terminal.ts'

/**
 * How often the files are read, in milliseconds. Two looks that agree mean that they are at rest. A file system's own
 * notifications would miss what happens on other machines, and behind symbolic links that are swapped as Kubernetes does.
 */
const every = 500

/** Applies them until Ctrl-C; ends by itself only where what it is to watch can't be. */
export async function applyAgain({ file, output }: { file: string[] } & Output, terminal: Terminal): Promise<void> {
  if (file.includes('-'))
    throw new CommandError('invalid', 'standard input can not be watched; name a file or a folder')
  const applier = new Applier({ output }, terminal)
  let before: string | undefined
  let dealtWith: string | undefined
  for (;;) {
    const look = await readFiles(file, terminal).catch(asProblem)
    const seen = JSON.stringify(look instanceof CommandError ? look.message : look)
    if (seen === before && seen !== dealtWith && (await applier.apply(look))) dealtWith = seen
    before = seen
    await wait(every, undefined, { signal: terminal.signal })
  }
}

/** Applies one state of the files after another, and goes on whatever is wrong with one. */
class Applier {
  readonly #options: Output
  readonly #terminal: Terminal
  #names: string[] = []
  #told: string | undefined

  constructor(options: Output, terminal: Terminal) {
    this.#options = options
    this.#terminal = terminal
  }

  /** Whether this state is dealt with: applied, or refused for good. It is told once why it is not. */
  async apply(look: SourceFile[] | CommandError): Promise<boolean> {
    try {
      if (look instanceof CommandError) throw look
      this.#tellMissing(await applyFiles(look, this.#options, this.#terminal))
      this.#told = undefined
      return true
    } catch (error) {
      const { ending, message } = asProblem(error)
      if (message !== this.#told) this.#terminal.err(`millrace: ${message}; what applied before runs on`)
      this.#told = message
      return ending !== 'unreachable'
    }
  }

  #tellMissing({ connections, routes }: Documents): void {
    const names = [...connections.map(({ name }) => `connection ${name}`), ...routes.map(({ name }) => `route ${name}`)]
    for (const name of this.#names.filter(one => !names.includes(one))) {
      this.#terminal.err(`${name} is in the files no more, and stays as it is; millrace delete ${name} ends it`)
    }
    this.#names = names
  }
}

/** What a command says when it fails; anything else is a defect, or Ctrl-C, and is thrown on. */
function asProblem(error: unknown): CommandError {
  if (error instanceof CommandError) return error
  throw error
}
