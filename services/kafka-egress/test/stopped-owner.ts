/**
 * A sink in a process of its own, to be stopped. Argument: the connection's broker. It writes one record to each of
 * two partitions and says `ready`; told to go on, it writes the next ones, and says how that ended.
 */
import { once } from 'node:events'
import { openSink } from './sink-rig.ts'
import { GivenDelivery } from './delivery.ts'

const sink = await openSink({ broker: process.argv[2] ?? '', topic: 'stopped', partition: '${record.key}' })
const write = (value: string) =>
  sink.write(new GivenDelivery(['0', '1'].map(key => ({ key, value: `${value} ${key}` }))))

await write('first owner')
const told = once(process, 'message')
process.send?.('ready')
await told
const ended = await write('late').then(
  outcome => outcome.is,
  (error: Error) => error.name,
)
process.send?.(ended)
await sink.close()
process.disconnect?.()
