/** `millrace tap`: sampled records of a route, as its source stored them, and what its sink made of them. */
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { type LaneName, lanesOf } from '@millrace/bus'
import { sinkService, sourceService } from '@millrace/routes'
import { CommandError } from './errors.ts'
import { readRoutes, withBus } from './installation.ts'
import { LaneTap, type LaneTapOptions } from './tap-lane.ts'
import { renderTapped, type Tapped, tappedJson } from './tap-text.ts'
import type { Output, Terminal } from './terminal.ts'

/** How long to wait between two looks at a lane, in milliseconds. */
const between = 250
/** Characters of a key, a header or a value. */
const width = 120

interface TapOptions extends Output {
  lane?: string
  /** Ends after so many records. */
  count?: number
  full?: true
}

/** Prints records until so many were shown, or until Ctrl-C. JSON is one line a record. */
export async function tap(name: string, options: TapOptions, terminal: Terminal): Promise<void> {
  await withBus(terminal, async bus => {
    const route = (await readRoutes(bus)).routes.get(name)
    if (route === undefined)
      throw new CommandError('failed', `there is no route ${name}; millrace get route prints those that there are`)
    const all = (await lanesOf(bus, name)).filter(({ service }) => service === sourceService(route))
    const lanes = chosen(all, options.lane)
    const enough = new AbortController()
    const signal = AbortSignal.any([terminal.signal, enough.signal])
    const show = printer(options, terminal, () => enough.abort())
    const common = { bus, sinkService: sinkService(route), tell: (text: string) => terminal.err(text), signal }
    await Promise.race([once(signal, 'abort'), ...lanes.map(lane => follow({ ...common, lane }, show))])
    terminal.signal.throwIfAborted()
  })
}

/** Shows what comes in a lane, until the signal aborts. */
async function follow(options: LaneTapOptions, show: (tapped: Tapped) => void): Promise<void> {
  const { signal } = options
  try {
    for (const lane = await LaneTap.open(options); ; await wait(between, undefined, { signal })) {
      for (const tapped of await lane.next()) show(tapped)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function chosen(lanes: readonly LaneName[], wanted: string | undefined): LaneName[] {
  if (lanes.length === 0) throw new CommandError('failed', 'the route has no lanes yet; see millrace status')
  const found = lanes.filter(({ lane }) => (wanted ?? lane) === lane)
  if (found.length > 0) return found
  throw new CommandError('failed', `there is no lane ${wanted}; there are: ${lanes.map(({ lane }) => lane).join(', ')}`)
}

/** Prints the first `count` records that it is given, and says when that is done. */
function printer({ output, full, count }: TapOptions, terminal: Terminal, done: () => void): (one: Tapped) => void {
  let left = count ?? Number.POSITIVE_INFINITY
  return tapped => {
    if (left === 0) return
    const text = () => renderTapped(tapped, full ? Number.POSITIVE_INFINITY : width)
    terminal.out(output === 'json' ? JSON.stringify(tappedJson(tapped)) : text())
    left--
    if (left === 0) done()
  }
}
