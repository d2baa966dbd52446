/** What must hold for the Kafka ends of a route beyond the types of their fields. */
import { type Checked, tell } from './fields.ts'
import type { KafkaStart } from './kafka-start.ts'
import { checkTopicName, isUsable, topicMatcher, topicRule } from './kafka-topic.ts'
import { nearest } from './nearest.ts'
import { checkTemplate } from './route-rules.ts'
import { isTemplate, templateParts } from './template.ts'

/** A group's name: what brokers and hubs take. */
export function checkGroup(checked: Checked<string>): void {
  if (checked.value.length > 255) tell(checked, "a group's name has at most 255 characters", { code: 'bad_group' })
}

/** Offsets are given for topics that are read, and for partitions by their number. */
export function checkStart(checked: Checked<{ topics: string[]; start: KafkaStart }>): void {
  const { topics, start } = checked.value
  if (typeof start === 'string' || !('offsets' in start)) return
  // What is wrong with a pattern is told where it stands.
  if (!topics.every(isUsable)) return
  const isRead = topicMatcher(topics)
  for (const [topic, partitions] of Object.entries(start.offsets)) {
    const path = ['start', 'offsets', topic]
    if (!isRead(topic)) tell(checked, 'this source reads no such topic', { code: 'no_effect', path })
    for (const partition of Object.keys(partitions)) {
      if (/^(0|[1-9]\d{0,8})$/.test(partition)) continue
      tell(checked, "expected a partition's number", { code: 'invalid_value', path: [...path, partition] })
    }
  }
}

/** A Kafka topic's name, or a template whose fixed text may stand in one. */
export function checkTopic(checked: Checked<string>): void {
  if (checkTemplate(checked)) return
  if (!isTemplate(checked.value)) return checkTopicName(checked)
  const parts = templateParts(checked.value)
  const fixed = Array.isArray(parts) ? parts.filter(part => part.is === 'text') : []
  if (fixed.some(part => !/^[A-Za-z0-9._-]*$/.test(part.text))) tell(checked, topicRule, { code: 'bad_topic' })
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

/** What the fields of a Kafka sink say together. */
export function checkKafkaSink(checked: Checked<{ topic: string; createTopic?: unknown }>): void {
  const { topic, createTopic } = checked.value
  if (createTopic !== undefined && isTemplate(topic)) {
    const hint = 'make the topics beforehand; a record for a missing one becomes a dead letter'
    const message = 'a topic that a template makes is never created'
    tell(checked, message, { code: 'no_effect', hint, path: ['createTopic'] })
  }
}
