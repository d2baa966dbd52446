/** What must hold for a route beyond the types of its fields. */
import { filterFault } from './expression.ts'
import { type Checked, tell } from './fields.ts'
import { filterFaultOf } from './mqtt-filter.ts'
import { nearest } from './nearest.ts'
import { isTemplate, templateFault, templateParts } from './template.ts'

/** An MQTT topic filter. */
export function checkFilter(checked: Checked<string>): void {
  const fault = filterFaultOf(checked.value)
  if (fault !== undefined) tell(checked, fault, { code: 'bad_topic_filter' })
}

/** Each text of a list stands there once. */
export function checkTwice(checked: Checked<string[]>): void {
  for (const [index, text] of checked.value.entries()) {
    if (checked.value.indexOf(text) < index)
      tell(checked, 'this stands here twice', { code: 'duplicate', path: [index] })
  }
}

/** A CEL expression that says true or false. */
export function checkExpression(checked: Checked<string>): void {
  const fault = filterFault(checked.value)
  if (fault !== undefined) tell(checked, fault.message, { code: 'bad_expression', ...place(fault) })
}

/** A Kafka topic's name, or a template whose fixed text may stand in one. */
export function checkTopic(checked: Checked<string>): void {
  if (checkTemplate(checked)) return
  if (!isTemplate(checked.value)) {
    const legal = /^[A-Za-z0-9._-]{1,249}$/.test(checked.value) && !/^\.{1,2}$|^__/.test(checked.value)
    if (!legal) tell(checked, topicRule, { code: 'bad_topic' })
    return
  }
  const parts = templateParts(checked.value)
  const fixed = Array.isArray(parts) ? parts.filter(part => part.is === 'text') : []
  if (fixed.some(part => !/^[A-Za-z0-9._-]*$/.test(part.text))) tell(checked, topicRule, { code: 'bad_topic' })
}

const topicRule = 'expected a Kafka topic: at most 249 of A-Z a-z 0-9 . _ -, not . or .., and not beginning with __'

/** Any template. */
export function checkKey(checked: Checked<string>): void {
  checkTemplate(checked)
}

/** `key`, `lane`, or a template. */
export function checkPartition(checked: Checked<string>): void {
  const { value } = checked
  if (value === 'key' || value === 'lane' || checkTemplate(checked)) return
  if (isTemplate(value)) return
  const near = nearest(value, ['key', 'lane'])
  const hint = near === undefined ? undefined : `did you mean "${near}"?`
  tell(checked, 'expected key, lane, or a template such as "${record.json.line}"', { code: 'invalid_value', hint })
}

interface Sink {
  topic: string
  createTopic?: unknown
}

/** What the sink's fields say together. */
export function checkSink(checked: Checked<Sink>): void {
  const { topic, createTopic } = checked.value
  if (createTopic !== undefined && isTemplate(topic)) {
    const hint = 'make the topics beforehand; a record for a missing one becomes a dead letter'
    const message = 'a topic that a template makes is never created'
    tell(checked, message, { code: 'no_effect', hint, path: ['createTopic'] })
  }
}

function checkTemplate(checked: Checked<string>): boolean {
  const fault = templateFault(checked.value)
  if (fault !== undefined) tell(checked, fault.message, { code: 'bad_expression', ...place(fault) })
  return fault !== undefined
}

const place = ({ hint, offset }: { hint?: string | undefined; offset: number }) => ({ hint, offset })
