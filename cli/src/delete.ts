/** `millrace delete`: nothing that was acknowledged is lost, unless the user says so twice. */
import type { Bus } from '@millrace/bus'
import { z } from 'zod'
import { CommandError } from './errors.ts'
import type { KindName } from './get.ts'
import { askLeader, withBus } from './installation.ts'
import type { Output, Terminal } from './terminal.ts'

const deleted = z.object({
  deleted: z.array(
    z.object({
      kind: z.enum(['Connection', 'Route']),
      name: z.string(),
      /** Records that are stored and not delivered; null where nobody can tell. */
      pending: z.number().nullable(),
      deadLetters: z.number(),
    }),
  ),
})

type Deleted = z.infer<typeof deleted>['deleted'][number]

interface DeleteOptions extends Output {
  discard?: true
  yes?: true
}

/** Deletes routes or connections by name. With `--discard`, what is stored is thrown away instead of delivered. */
export async function remove(
  kind: KindName,
  names: string[],
  options: DeleteOptions,
  terminal: Terminal,
): Promise<void> {
  const { discard, yes, output } = options
  const named = kind === 'route' ? { routes: names } : { routes: [], connections: names }
  const request = { op: 'delete', ...named, ...(discard ? { discard } : {}) }
  const ask = async (bus: Bus, more: object) =>
    deleted.parse(await askLeader(bus, { ...request, ...more }, terminal.signal)).deleted
  await withBus(terminal, async bus => {
    if (kind === 'route' && discard && !yes) {
      for (const one of await ask(bus, { dryRun: true })) terminal.err(warning(one))
      throw new CommandError(
        'invalid',
        'nothing was deleted; add --yes to throw them away, and what the broker holds for their sources',
      )
    }
    const gone = await ask(bus, {})
    if (output === 'json') return terminal.out(JSON.stringify({ deleted: gone, discarded: discard ?? false }, null, 2))
    for (const one of gone) terminal.out(sentence(one, discard))
  })
}

function warning({ name, pending, deadLetters }: Deleted): string {
  const letters = deadLetters === 0 ? '' : `, and ${deadLetters} dead letters`
  const why = pending === null ? ' (millrace status says why)' : ''
  return `route ${name}: ${counted(pending)} that are stored and not delivered would be lost${letters}${why}`
}

function sentence({ kind, name, pending, deadLetters }: Deleted, discard?: true): string {
  const what = `${kind.toLowerCase()} ${name}`
  if (kind === 'Connection') return `${what}: deleted`
  const letters = deadLetters === 0 ? '' : `; its ${deadLetters} dead letters go with it`
  if (discard) return `${what}: deleted; ${counted(pending)} were thrown away${letters}`
  if (pending !== null) {
    return `${what}: its sources stop; ${pending} records that are stored are delivered, then it is gone${letters}`
  }
  return `${what}: its sources stop; it goes when what is stored is delivered, and how much that is nobody can tell (millrace status says why; --discard gives it up)${letters}`
}

const counted = (records: number | null): string => `${records ?? 'an unknown number of'} records`
