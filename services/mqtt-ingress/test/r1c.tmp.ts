import { Rig, type Message } from './rig.ts'
import { eventually } from '@millrace/testkit'
import { setTimeout as sleep } from 'node:timers/promises'
const rig = await Rig.start()
const first = rig.run()
await first.is('running')
await rig.publish(['t/1', '1'])
await rig.stored(1)
await first.drain()
const many = Array.from({ length: 14000 }, (_, n): Message => ['t/1', `${n + 2}`])
await rig.publish(...many)
const { config, state } = await rig.coordinator.jsm.streams.info('MR_D_r')
await rig.coordinator.jsm.streams.update('MR_D_r', { ...config, max_bytes: state.bytes + 900 })
const retired = rig.run({ retire: true })
await eventually(() => retired.told.at(-1) === 'holding stream_full', { what: 'full' })
await sleep(4_000) // more than two keepalives of 1 s
console.log('stream is full; unstored', retired.counts.pending, retired.told.at(-1))
await rig.coordinator.jsm.streams.update('MR_D_r', config) // the sink made room
await retired.ended
const firsts = new Set((await rig.values()).map(v => v.trim()))
console.log('published and PUBACKed 14001; in the lane', firsts.size, 'position', await rig.position())
await rig[Symbol.asyncDispose]()
