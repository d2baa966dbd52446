import { describeReason, firstError, reasonCode } from './reason-codes.ts'
import type { Verdict } from './sending.ts'

/** What of a route decides about answers. */
export interface Judgement {
  /** Whether a PUBLISH that nobody subscribes to has passed, or waits for somebody who does. */
  onNoSubscribers: 'done' | 'hold'
  /** Whether all records go to one topic: where that is refused it is for the user to put right, so the lane holds. */
  isFixedTopic: boolean
}

const noSubscribers = 0x10
const packetTooLarge = 0x95
/** Not authorized, and topic name invalid. */
const ofTheTopic = [0x87, 0x90]
/** Malformed packet, protocol error, packet too large, payload format invalid, retain and QoS not supported. */
const ofTheMessage = [0x81, 0x82, packetTooLarge, 0x99, 0x9a, 0x9b]

/** Whether a DISCONNECT with this reason code may be about a PUBLISH. */
export const mayBeAboutPublish = (code: number): boolean => ofTheTopic.includes(code) || ofTheMessage.includes(code)

/** Judges the reason code of a PUBACK or PUBREC (MQTT 5.0, 3.4.2.1, 3.5.2.1; R7). */
export function judge(code: number, { onNoSubscribers, isFixedTopic }: Judgement): Verdict {
  if (code === noSubscribers && onNoSubscribers === 'hold') {
    return { is: 'hold', problem: { code: 'no_subscribers', message: 'Nobody subscribes to the topic.' } }
  }
  if (code < firstError) return { is: 'done' }
  const why = describeReason(code)
  if (ofTheTopic.includes(code)) {
    if (!isFixedTopic)
      return { is: 'refused', problem: { code: 'topic_refused', message: `The broker refused the topic: ${why}.` } }
    const hint = 'Allow it at the broker, or change the route.'
    return {
      is: 'hold',
      problem: { code: 'topic_refused', message: `The broker refuses the route's topic: ${why}. ${hint}` },
    }
  }
  const message = `The broker refused a message: ${why}.`
  if (reasonCode(code).mayPassLater) return { is: 'hold', problem: { code: 'broker_refused', message } }
  return { is: 'refused', problem: { code: code === packetTooLarge ? 'too_large' : 'refused', message } }
}
