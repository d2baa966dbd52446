/** Topic filters (MQTT 5.0, 4.7 and 4.8.2). */

/** Says what is wrong with a topic filter, shared or plain; undefined where nothing is. */
export function filterProblem(filter: string): string | undefined {
  if (filter === '') return 'a topic filter must not be empty'
  if (Buffer.byteLength(filter) > 65_535) return 'a topic filter must not be longer than 65,535 bytes'
  if (filter.includes('\0') || !filter.isWellFormed()) return 'a topic filter must be text without NUL'
  const levels = filter.split('/')
  return levels[0] === '$share' ? sharedProblem(levels) : levelsProblem(levels)
}

function sharedProblem([, group = '', ...levels]: string[]): string | undefined {
  if (group === '' || /[+#]/.test(group)) {
    return 'a shared subscription is $share/<name>/<filter>, and its name has no + or #'
  }
  if (levels.join('/') === '') return 'a shared subscription is $share/<name>/<filter>, and its filter is missing'
  return levelsProblem(levels)
}

function levelsProblem(levels: string[]): string | undefined {
  const misplaced = levels.find(level => level.length > 1 && /[+#]/.test(level))
  if (misplaced !== undefined) return `+ and # must stand alone in their level, not as in "${misplaced}"`
  const multi = levels.indexOf('#')
  if (multi >= 0 && multi < levels.length - 1) return '# must be the last level'
  return undefined
}

/** Whether a plain filter, one without a problem, matches a topic. Wildcards in front don't match topics with `$`. */
export function topicMatches(filter: string, topic: string): boolean {
  const levels = filter.split('/')
  const names = topic.split('/')
  if (topic.startsWith('$') && (levels[0] === '#' || levels[0] === '+')) return false
  for (const [at, level] of levels.entries()) {
    if (level === '#') return true
    if (at >= names.length || (level !== '+' && level !== names[at])) return false
  }
  return levels.length === names.length
}

/** The filter as several subscribers of one route share it; other installations and routes get their own copy. */
export function sharedFilter(installation: string, route: string, filter: string): string {
  return `$share/${installation}-${route}/${filter}`
}
