/** What MQTT 3.1.1 can't do of what a route asks: it has no properties and no reason codes. */
import type { Connection } from './connection.ts'
import { errorAt, type Finding, warningAt } from './finding.ts'
import { isShared } from './mqtt-source.ts'
import type { Route } from './route.ts'

/** The connections at a route's ends, as far as they are known. */
export interface RouteEnds {
  source?: Connection | undefined
  sink?: Connection | undefined
}

/** What a route asks of a broker that is spoken to in MQTT 3.1.1. */
export function checkMqttVersion({ source, sink, headers }: Route, ends: RouteEnds): Finding[] {
  const findings: Finding[] = []
  if (ends.source?.mqtt?.version === '3.1.1' && source.protocol === 'mqtt' && isShared(source)) {
    const message = 'shared subscriptions are of MQTT v5; not every broker shares with 3.1.1 clients'
    const field = source.shareName === undefined ? 'subscribers' : 'shareName'
    findings.push(warningAt(['source', field], 'mqtt_version', message))
  }
  if (ends.sink?.mqtt?.version !== '3.1.1' || sink.protocol !== 'mqtt') return findings
  if (sink.onNoSubscribers === 'hold') {
    const message = 'MQTT 3.1.1 does not say whether anybody subscribes: nothing would be held'
    findings.push(errorAt(['sink', 'onNoSubscribers'], 'mqtt_version', message))
  }
  if (headers !== 'none') {
    const message = 'MQTT 3.1.1 has no properties: headers and user properties are left out; say headers: none'
    findings.push(warningAt(['sink', 'connection'], 'mqtt_version', message))
  }
  return findings
}
