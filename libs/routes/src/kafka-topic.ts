/** Names of Kafka topics, and patterns of them. */
import { type Checked, tell } from './fields.ts'
import { patternFaultOf } from './patterns.ts'

/** Whether a Kafka topic may have this name, Kafka's own topics left out. */
export const isTopicName = (text: string): boolean =>
  /^[A-Za-z0-9._-]{1,249}$/.test(text) && !/^\.{1,2}$|^__/.test(text)

/** Whether a source's topic is a `/regular expression/`: no name of a topic has a slash. */
export const isTopicPattern = (text: string): boolean => /^\/.+\/$/s.test(text)

/**
 * Which topics a source reads: those that are named, and those whose whole name one of its patterns matches. Kafka's own
 * topics (`__...`) are never among the latter. Throws SyntaxError for a pattern that is none: see `isUsable`.
 */
export function topicMatcher(topics: readonly string[]): (name: string) => boolean {
  const names = new Set(topics)
  const patterns = topics.filter(isTopicPattern).map(pattern => new RegExp(`^(?:${pattern.slice(1, -1)})$`))
  return name => names.has(name) || (patterns.some(pattern => pattern.test(name)) && isTopicName(name))
}

/** Whether `topicMatcher` can take this topic. */
export const isUsable = (topic: string): boolean => !isTopicPattern(topic) || faultOf(topic) === undefined

const faultOf = (pattern: string) => patternFaultOf(pattern.slice(1, -1), 'the pattern')

/** The name of a topic, or a pattern. */
export function checkTopicOrPattern(checked: Checked<string>): void {
  const { value } = checked
  if (!isTopicPattern(value)) return checkTopicName(checked)
  const fault = faultOf(value)
  if (fault !== undefined) tell(checked, fault.message, { code: 'bad_pattern', hint: fault.hint })
}

/** The name of a topic; that it is not empty is told elsewhere. */
export function checkTopicName(checked: Checked<string>): void {
  if (checked.value !== '' && !isTopicName(checked.value)) tell(checked, topicRule, { code: 'bad_topic' })
}

export const topicRule =
  'expected a Kafka topic: at most 249 of A-Z a-z 0-9 . _ -, not . or .., and not beginning with __'
