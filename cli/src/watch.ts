/**
 * `millrace apply --watch`: what the files say applies, at the start and whenever they have changed and come to rest.
 * Files that are not valid are told and change nothing; what is refused for now is told and tried again. A document that
 * vanishes is told, and what it said stays: only `millrace delete` ends a route.
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
/** Milliseconds until what was refused is tried again, at first and at most: what is in the way may pass. */
const again = { first: 1_000, most: 30_000 }

/** Applies them until Ctrl-C; ends by itself only where what it is to watch can't be. */
export async function applyAgain({ file, output }: { file: string[] } & Output, terminal: Terminal): Promise<void> {
  if (file.includes('-'))
    throw new CommandError('invalid', 'standard input can not be watched; name a file or a folder')
  const applier = new Applier({ output }, terminal)
  let before: string | undefined
  for (;;) {
    const look = await readFiles(file, terminal).catch(asProblem)
    const seen = JSON.stringify(look instanceof CommandError ? look.message : look)
    if (seen === before) await applier.apply(seen, look)
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
  /** The state that was given last, when it is tried again (never, once it is dealt with), and how long to wait after that. */
  #seen: string | undefined
  #againAt = 0
  #wait = again.first

  constructor(options: Output, terminal: Terminal) {
    this.#options = options
    this.#terminal = terminal
  }

  /**
   * Applies a state of the files, unless that is dealt with: applied, or not valid. What is refused for a reason that may
   * pass (no room, no leader, a route that has to be deleted first) is tried again, ever more rarely. All is told once.
   */
  async apply(seen: string, look: SourceFile[] | CommandError): Promise<void> {
    const isNew = seen !== this.#seen
    if (isNew) this.#wait = again.first
    else if (performance.now() < this.#againAt) return
    this.#seen = seen
    try {
      await this.#applyNow(look, isNew)
      this.#againAt = Number.POSITIVE_INFINITY
    } catch (error) {
      const { ending, message } = asProblem(error)
      const mayPass = ending !== 'invalid'
      this.#againAt = mayPass ? performance.now() + this.#wait : Number.POSITIVE_INFINITY
      this.#wait = Math.min(2 * this.#wait, again.most)
      const hint = mayPass ? ', and this is tried again' : ''
      if (message !== this.#told) this.#terminal.err(`millrace: ${message}; what applied before runs on${hint}`)
      this.#told = message
    }
  }

  async #applyNow(look: SourceFile[] | CommandError, isNew: boolean): Promise<void> {
    if (look instanceof CommandError) throw look
    const said: string[] = []
    const out = (text: string): void => void said.push(text)
    const terminal = { ...this.#terminal, out, ...(!isNew && { err: () => undefined }) }
    this.#tellMissing(await applyFiles(look, this.#options, terminal))
    for (const text of said) this.#terminal.out(text)
    this.#told = undefined
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
