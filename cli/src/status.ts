/** `millrace status`. */
import { setTimeout as wait } from 'node:timers/promises'
import { withBus } from './installation.ts'
import { readBusFacts, takeSnapshot } from './snapshot.ts'
import { reportStatus } from './status-report.ts'
import { renderStatus } from './status-text.ts'
import type { Output, Terminal } from './terminal.ts'

/** Longer than the second between two heartbeats, so that who is silent shows. */
const between = 1_500

/** Prints the status once, or until the command is stopped. JSON is one line a report. */
export async function status({ watch, output }: { watch?: true } & Output, terminal: Terminal): Promise<void> {
  await withBus(terminal, async bus => {
    const facts = await readBusFacts(bus, terminal.env)
    let before = await takeSnapshot(bus)
    for (;;) {
      await wait(between, undefined, { signal: terminal.signal })
      const after = await takeSnapshot(bus)
      const report = reportStatus(before, after, facts)
      const text = output === 'json' ? JSON.stringify(report) : renderStatus(report)
      if (!watch) return terminal.out(text)
      terminal.out(terminal.screen ? `\u001b[2J\u001b[H${text}` : text + (output === 'json' ? '' : '\n'))
      before = after
    }
  })
}
