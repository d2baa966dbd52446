/** A Kafka with a listener that asks for a password, one behind a proxy, and one that is as open as ever. */
import { freePort, type Kafka, type Proxy, startKafka, startProxy } from '@millrace/testkit'

/** The Kafka, and its ways in. */
export interface GuardedKafka extends AsyncDisposable {
  kafka: Kafka
  /** `host:port` of the listener with SASL PLAIN, in clear. */
  guarded: string
  /** In front of a listener without a password: clients that come through it stay on it. */
  proxy: Proxy
}

/** Starts it; one user may log in. */
export async function startGuardedKafka(user: string, password: string): Promise<GuardedKafka> {
  const [port, controller, guarded, behind] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const proxy = await startProxy(behind)
  const open = [`CLIENT://127.0.0.1:${port}`, `GUARDED://127.0.0.1:${guarded}`]
  const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  const kafka = await startKafka({
    port,
    properties: {
      listeners: [...open, `BEHIND://127.0.0.1:${behind}`, `CONTROLLER://127.0.0.1:${controller}`].join(),
      'advertised.listeners': [...open, `BEHIND://127.0.0.1:${proxy.port}`].join(),
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      'listener.security.protocol.map': 'CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,BEHIND:PLAINTEXT,GUARDED:SASL_PLAINTEXT',
      'listener.name.guarded.sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.guarded.plain.sasl.jaas.config': `${login} user_${user}="${password}";`,
    },
  })
  return {
    kafka,
    guarded: `127.0.0.1:${guarded}`,
    proxy,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      await kafka[Symbol.asyncDispose]()
    },
  }
}
