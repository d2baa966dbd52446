import { connectAsync, type MqttClient } from 'mqtt'
import { type Calm, startCalm } from './calm.ts'
import { startWhole, type Whole } from './whole.ts'

/** A whole Millrace with a calm route, and somebody who publishes to others. */
export interface BesideCalm extends AsyncDisposable {
  whole: Whole
  calm: Calm
  publisher: MqttClient
}

/** Starts it, and leaves nothing behind where that fails. */
export async function startBesideCalm(): Promise<BesideCalm> {
  await using stack = new AsyncDisposableStack()
  const whole = stack.use(await startWhole())
  const calm = await startCalm(whole)
  const publisher = await connectAsync(whole.mosquitto.url, { protocolVersion: 5 })
  stack.defer(() => publisher.endAsync(true))
  const all = stack.move()
  return { whole, calm, publisher, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
