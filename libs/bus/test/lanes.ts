import type { LaneName } from '../src/index.ts'

/** The lane of most tests, as its source and as its sink name it. */
export const lane: LaneName = { service: 'mqtt-ingress', route: 'telemetry', lane: '0' }
export const sinkLane: LaneName = { ...lane, service: 'kafka-egress' }

export const noTotals = { out: 0, dead: 0, filtered: 0, parked: 0 }
