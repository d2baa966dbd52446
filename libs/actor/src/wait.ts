/**
 * Resolves when `ms` milliseconds have passed, or at once when the signal aborts (or has aborted already).
 * It never rejects: who waits looks at the signal afterwards.
 */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}

/** Resolves when the signal aborts; at once when it has aborted already, which `once(signal, 'abort')` does not do. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/**
 * What the promise gives, or undefined when the signal aborts before. Unlike a race with `aborted(signal)`, nothing of it
 * stays behind with a signal that lives on, so it can be called without end.
 */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const over = Promise.withResolvers<undefined>()
  const abort = () => over.resolve(undefined)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([promise, over.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
