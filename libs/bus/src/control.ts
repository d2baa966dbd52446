/** Requests to one instance, and their answers: JSON on `mr.ctl.<service>.<instance>`. */
import type { Msg } from '@nats-io/nats-core'
import type { Bus } from './connect.ts'
import type { ServiceName } from './documents.ts'
import { controlSubject } from './names.ts'

/** Answers requests until the signal aborts. What `answer` throws is answered as `{ok: false, problem: {code, message}}`. */
export function serveControl(
  bus: Bus,
  { service, instance }: { service: ServiceName; instance: string },
  answer: (request: unknown) => Promise<unknown>,
  signal: AbortSignal,
): void {
  const subscription = bus.nc.subscribe(controlSubject(service, instance), {
    callback: (error, message) => {
      if (error === null) void respond(message, answer)
    },
  })
  signal.addEventListener('abort', () => subscription.unsubscribe(), { once: true })
}

/** Asks an instance. UnknownOutcomeError where it does not answer within `timeout` ms; whatever it says is returned. */
export async function askControl(
  bus: Bus,
  { service, instance, timeout = 2_000 }: { service: ServiceName; instance: string; timeout?: number },
  request: object,
): Promise<unknown> {
  const message = await bus.call(
    bus.nc.request(controlSubject(service, instance), JSON.stringify(request), { timeout }),
  )
  return message.json()
}

async function respond(message: Msg, answer: (request: unknown) => Promise<unknown>): Promise<void> {
  message.respond(JSON.stringify(await answered(message.data, answer)))
}

async function answered(data: Uint8Array, answer: (request: unknown) => Promise<unknown>): Promise<unknown> {
  try {
    return await answer(JSON.parse(Buffer.from(data).toString()))
  } catch (error) {
    return {
      ok: false,
      problem: { code: 'bad_request', message: error instanceof Error ? error.message : String(error) },
    }
  }
}
