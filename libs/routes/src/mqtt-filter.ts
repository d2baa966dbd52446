/** MQTT topic filters (MQTT v5, 4.7). */

/** Why a text that is not empty is no topic filter that a user may write; undefined where it is one. */
export function filterFaultOf(filter: string): string | undefined {
  if (Buffer.byteLength(filter) > 65_535) return 'a topic filter has at most 65,535 bytes'
  if (filter.includes('\0')) return 'a topic filter has no NUL'
  if (/^\$(share|queue)(\/|$)/.test(filter)) {
    return 'shared subscriptions are made from `subscribers`: write the plain filter, and how many subscribers share it'
  }
  const levels = filter.split('/')
  if (levels.some(level => level.includes('+') && level !== '+')) return '+ stands for a whole level: a/+/b'
  if (levels.some(level => level.includes('#') && level !== '#')) return '# stands for whole levels: a/#'
  if (levels.slice(0, -1).includes('#')) return '# stands at the end only: a/#'
  return undefined
}
