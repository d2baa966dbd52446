/** What must hold for a route beyond the types of its fields. */
import { filterFault } from './expression.ts'
import { type Checked, tell } from './fields.ts'
import { filterFaultOf, shareNameFaultOf } from './mqtt-filter.ts'
import { templateFault, templateParts } from './template.ts'

/** An MQTT topic filter. */
export function checkFilter(checked: Checked<string>): void {
  const fault = filterFaultOf(checked.value)
  if (fault !== undefined) tell(checked, fault, { code: 'bad_topic_filter' })
}

/** The name of a group of MQTT clients that share a subscription. */
export function checkShareName(checked: Checked<string>): void {
  const fault = shareNameFaultOf(checked.value)
  if (fault !== undefined) tell(checked, fault, { code: 'bad_share_name' })
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

/** Any template. */
export function checkKey(checked: Checked<string>): void {
  checkTemplate(checked)
}

/** An MQTT topic, or a template whose fixed text may stand in one. */
export function checkMqttTopic(checked: Checked<string>): void {
  if (checkTemplate(checked)) return
  const parts = templateParts(checked.value)
  const fixed = Array.isArray(parts) ? parts.filter(part => part.is === 'text').map(({ text }) => text) : []
  if (Buffer.byteLength(fixed.join('')) > 65_535) {
    tell(checked, 'a topic has at most 65,535 bytes', { code: 'bad_topic' })
  } else if (fixed.some(text => /[+#\p{Cc}\p{Noncharacter_Code_Point}]/u.test(text))) {
    const message = 'a topic that is published to has no + or #, which are for topic filters, nor control characters'
    tell(checked, message, { code: 'bad_topic' })
  }
}

/** A text that may be a template; whether it is one with a fault, which is told. */
export function checkTemplate(checked: Checked<string>): boolean {
  const fault = templateFault(checked.value)
  if (fault !== undefined) tell(checked, fault.message, { code: 'bad_expression', ...place(fault) })
  return fault !== undefined
}

const place = ({ hint, offset }: { hint?: string | undefined; offset: number }) => ({ hint, offset })
