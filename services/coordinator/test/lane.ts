/** Both ends of a lane, as a source and a sink would use it, moved by hand. */
import { claimPosition, openLane, type LaneAppender, type Position } from '@millrace/bus'
import { headers } from '@nats-io/nats-core'
import type { Rig } from './rig.ts'

const signal = new AbortController().signal
const tell = () => {}

/** A lane of route `r`, which reads MQTT, or another. */
export interface LaneOfTest {
  service?: 'mqtt-ingress' | 'kafka-ingress'
  uid: string
  epoch: number
  lane: string
  route?: string
}

/** Opens the lane for writing. */
export function openSource(rig: Rig, { service = 'mqtt-ingress', ...of }: LaneOfTest): Promise<LaneAppender> {
  const { uid, epoch, lane, route = 'r' } = of
  const name = { service, route, lane }
  return openLane({ bus: rig.bus(service), lane: name, uid, epoch, start: () => 'somewhere', signal, tell })
}

/** Appends one batch that says that it holds so many records. */
export function append(source: LaneAppender, count: number): Promise<void> {
  return source.append({ payload: Buffer.from('records'), count, position: 'further' })
}

/** Takes the position of the lane's sink. */
export function openSink(rig: Rig, { uid, epoch, lane, route = 'r' }: LaneOfTest): Promise<Position> {
  const name = { service: 'kafka-egress', route, lane } as const
  return claimPosition({ bus: rig.bus('kafka-egress'), lane: name, uid, epoch, signal, tell })
}

/** Commits that the sink has delivered so many records, of all messages up to this sequence. */
export function commit(sink: Position, sequence: number, out: number): Promise<void> {
  return sink.commit({ sequence }, { out, dead: 0, filtered: 0, parked: 0 })
}

/** Puts a message at the end of lane 0 as if the route were empty, of the highest epoch that a number can hold. */
export async function publishAbsurd(rig: Rig, route: string): Promise<void> {
  const encoded = headers()
  encoded.set('mr-epoch', String(Number.MAX_SAFE_INTEGER))
  for (const name of ['mr-base', 'mr-count']) encoded.set(name, '0')
  await rig.bus('mqtt-ingress').js.publish(`mr.d.mqtt-ingress.${route}.0`, 'a stranger', { headers: encoded })
}
