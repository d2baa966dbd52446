/** MQTT topic filters (MQTT v5, 4.7). */

/** Why a text that is not empty is no topic filter that a user may write; undefined where it is one. */
export function filterFaultOf(filter: string): string | undefined {
  if (Buffer.byteLength(filter) > 65_535) return 'a topic filter has at most 65,535 bytes'
  if (/[\0\t\n]/.test(filter)) return 'a topic filter has no NUL, tab or line feed'
  if (isShared(filter)) {
    return 'shared subscriptions are made from `subscribers` and `shareName`: write the plain filter'
  }
  const levels = filter.split('/')
  if (levels.some(level => level.includes('+') && level !== '+')) return '+ stands for a whole level: a/+/b'
  if (levels.some(level => level.includes('#') && level !== '#')) return '# stands for whole levels: a/#'
  if (levels.slice(0, -1).includes('#')) return '# stands at the end only: a/#'
  return undefined
}

/** Whether a filter is written as brokers are asked for a shared subscription (MQTT v5, 4.8.2). */
export const isShared = (filter: string): boolean => /^\$(share|queue)(\/|$)/.test(filter)

/** The most bytes of a share name: a filter that carries it must not outgrow MQTT's texts. */
const longestShareName = 255

/** Why a text that is not empty is no share name (MQTT v5, 4.8.2); undefined where it is one. */
export function shareNameFaultOf(name: string): string | undefined {
  if (/[/+#\t\n]/.test(name)) return 'a share name has no /, +, #, tab or line feed'
  return Buffer.byteLength(name) > longestShareName ? `a share name has at most ${longestShareName} bytes` : undefined
}

/** Whether a topic filter matches a topic, both by their levels (MQTT v5, 4.7.1 and 4.7.2). */
export function filterMatches(filter: readonly string[], topic: readonly string[]): boolean {
  for (let index = 0; index < filter.length; index++) {
    const level = filter[index]
    if (level === '#') return reachesDollar(filter, topic)
    if (index >= topic.length || (level !== '+' && level !== topic[index])) return false
  }
  return filter.length === topic.length && reachesDollar(filter, topic)
}

/** Whether a topic filter matches some topic that begins so; the last level of the beginning may go on. */
export function filterMayMatch(filter: readonly string[], beginning: readonly string[]): boolean {
  const last = beginning.length - 1
  for (let index = 0; index <= last; index++) {
    const [wanted, level] = [filter[index], beginning[index] ?? '']
    if (wanted === undefined) return false
    if (wanted === '#') break
    if (wanted !== '+' && (index < last ? wanted !== level : !wanted.startsWith(level))) return false
  }
  return reachesDollar(filter, beginning)
}

/** A wildcard in the first place never stands for what begins with $. */
function reachesDollar([wanted]: readonly string[], [first = '']: readonly string[]): boolean {
  return !(first.startsWith('$') && (wanted === '+' || wanted === '#'))
}
