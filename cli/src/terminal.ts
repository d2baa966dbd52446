/** What a command sees of the process that it runs in. */
export interface Terminal {
  /** One line or several to standard output: what was asked for, and nothing else. */
  out(text: string): void
  /** To standard error: problems, and what is going on. */
  err(text: string): void
  /** Standard output is a screen: it may be cleared and drawn anew. */
  readonly screen: boolean
  readonly stdin: AsyncIterable<Buffer>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Ctrl-C, or SIGTERM. */
  readonly signal: AbortSignal
}

/** Options of commands that show something. */
export interface Output {
  output?: 'json' | undefined
}

/** The process's own. A reader that went away (`| head`) ends the command as if all had been read. */
export function processTerminal(): Terminal {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  }
  return {
    out: text => void process.stdout.write(`${text}\n`),
    err: text => void process.stderr.write(`${text}\n`),
    screen: process.stdout.isTTY,
    stdin: process.stdin,
    env: process.env,
    signal: stop.signal,
  }
}
