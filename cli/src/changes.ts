/** What an apply changes, as lines. */
import { type Change, meaningOf } from '@millrace/routes'

const marks = { new: '+', changed: '~', removed: '-', unchanged: ' ' }

/** The lines of everything that changes. */
export const describeChanges = (changes: readonly Change[]): string[] => changes.flatMap(describe)

function describe({ kind, name, change, fields, connections }: Change): string[] {
  if (change === 'unchanged') return []
  const because = connections.length === 0 ? '' : ` (starts anew with its connection ${connections.join(' and ')})`
  const lines = fields.flatMap(field => [
    `    ${field.path}: ${shown(field.before)} -> ${shown(field.after)}`,
    ...(kind === 'Route' ? [`      ${meaningOf(field)}`] : []),
  ])
  return [`${marks[change]} ${kind} ${name}${because}`, ...lines]
}

const shown = (value: unknown): string => (value === undefined ? '(none)' : JSON.stringify(value))
