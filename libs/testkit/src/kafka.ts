import path from 'node:path'
import { type Admin, Kafka as KafkaClient, logLevel } from 'kafkajs'
import { ensureTools, freePort, startKafka as launchKafka } from '@millrace/local'
import { type Certificates, certificates } from './certificates.ts'
import { eventually } from './eventually.ts'
import { type ConsoleRecord, consume, type Line, produce } from './kafka-console.ts'
import { type KafkaRecord, readTopic } from './kafka-reader.ts'
import { secureListeners, type SecurePorts } from './kafka-secure.ts'
import { Proxy } from './proxy.ts'
import { type Launched, launchIn, Server } from './server.ts'

/** How a test wants its Kafka. */
export interface KafkaOptions {
  readonly port?: number
  /** Broker settings; they win over those of `deploy/local`. */
  readonly properties?: Readonly<Record<string, string>>
  /** It is to carry load: Java then compiles for speed, and not for a start that costs a third less. */
  readonly fast?: boolean
  /** It joins that one's cluster as a second broker, node 2, which may go; node 1 alone is controller. */
  readonly beside?: Kafka
  /** Put a proxy in front: clients that come through it are told to go on through it. */
  readonly proxied?: boolean
  /**
   * Two more listeners with TLS: one for logins by SASL (PLAIN and both SCRAMs for these users and their passwords,
   * OAUTHBEARER for any unsigned token), one for clients that show a certificate. Never with `proxied`.
   */
  readonly secure?: { readonly users: Readonly<Record<string, string>> }
}

/** How to reach a Kafka's secure listeners. */
export interface SecureKafka {
  /** For logins by SASL. */
  readonly sasl: string[]
  /** For clients that show a certificate. */
  readonly certified: string[]
  readonly certificates: Certificates
}

/** What else of a Kafka can be reached. */
interface Ends {
  controllerPort: number
  proxy?: Proxy
  secure?: SecureKafka
}

/** A Kafka of one node, or one node of two. */
export class Kafka extends Server {
  /** What clients connect to: `['127.0.0.1:<port>']`. */
  readonly brokers: string[]
  /** Only with `proxied`: the proxy, and the brokers' addresses that lead through it. */
  readonly proxied: { readonly proxy: Proxy; readonly brokers: string[] } | undefined
  /** Only with `secure`. */
  readonly secure: SecureKafka | undefined
  /** Where another node asks to join. */
  readonly controllerPort: number
  readonly #jars: string

  constructor(launched: Launched, jars: string, { controllerPort, proxy, secure }: Ends) {
    super(launched)
    this.controllerPort = controllerPort
    this.brokers = [`127.0.0.1:${launched.port}`]
    this.secure = secure
    this.proxied = proxy && { proxy, brokers: [`127.0.0.1:${proxy.port}`] }
    this.#jars = jars
  }

  /** Makes a topic with one replica. `config` holds topic settings such as `max.message.bytes`. */
  async createTopic(topic: string, partitions = 1, config: Readonly<Record<string, string>> = {}): Promise<void> {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
    await administer(this.brokers, async admin => {
      // kafkajs' own waiting gives up where a broker has not heard of the topic yet.
      const topics = [{ topic, numPartitions: partitions, configEntries }]
      await admin.createTopics({ topics, waitForLeaders: false })
      await eventually(() => admin.fetchTopicOffsets(topic), { what: `Kafka leads ${topic}`, timeout: 30_000 })
    })
  }

  /** Deletes a topic. */
  async deleteTopic(topic: string): Promise<void> {
    await administer(this.brokers, admin => admin.deleteTopics({ topics: [topic] }))
  }

  /** How many offsets of a topic are used: by records, whether they are committed or not, and by transactions' ends. */
  async used(topic: string): Promise<number> {
    const partitions = await administer(this.brokers, admin => admin.fetchTopicOffsets(topic))
    return partitions.reduce((sum, { high }) => sum + Number(high), 0)
  }

  /** All that a topic holds for a reader of committed records, partition by partition, in the order of offsets. */
  async readAll(topic: string): Promise<KafkaRecord[]> {
    const records: KafkaRecord[] = []
    await this.forEach(topic, record => records.push(record))
    return records
  }

  /** As `readAll`, one record at a time: for more of them than fit into memory. */
  async forEach(topic: string, visit: (record: KafkaRecord) => void): Promise<void> {
    const partitions = await administer(this.brokers, admin => admin.fetchTopicOffsets(topic))
    await readTopic(this.brokers, { topic, partitions }, visit)
  }

  /**
   * Follows a topic as it grows: each call of the function that it returns hands on what came since the last one, as
   * `forEach` does. One call at a time; one that rejects (Kafka is away) has skipped nothing.
   */
  follow(topic: string, visit: (record: KafkaRecord) => void): () => Promise<void> {
    const next = new Map<number, bigint>()
    return async () => {
      const offsets = await administer(this.brokers, admin => admin.fetchTopicOffsets(topic))
      const partitions = offsets.map(({ partition, low }) => ({ partition, low: String(next.get(partition) ?? low) }))
      await readTopic(this.brokers, { topic, partitions }, record => {
        next.set(record.partition, record.offset + 1n)
        visit(record)
      })
    }
  }

  /** Reads a topic from its beginning with Kafka's own console consumer, until it has `count` records. */
  async consoleConsumer(topic: string, count: number): Promise<ConsoleRecord[]> {
    return consume(this.#jars, { brokers: this.brokers, topic, count })
  }

  /** Writes to a topic with Kafka's own console producer. */
  async consoleProducer(topic: string, lines: readonly Line[], compression = 'none'): Promise<void> {
    await produce(this.#jars, { brokers: this.brokers, topic, compression }, lines)
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.proxied?.proxy[Symbol.asyncDispose]()
    await super[Symbol.asyncDispose]()
  }
}

/** Records of tests are years old: half a minute after its start Kafka would delete them. */
const keepsAll = { 'log.retention.ms': '-1' }

/** Starts a Kafka without topics, and waits until it answers. */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const { kafka: tool } = await ensureTools(['kafka'])
  const port = options.port ?? (await freePort())
  const controllerPort = await freePort()
  const proxiedPort = await freePort()
  const proxy = options.proxied ? new Proxy(await freePort(), proxiedPort) : undefined
  const ports: SecurePorts = { port, controllerPort, sasl: await freePort(), certified: await freePort() }
  let made: Certificates | undefined
  const launched = await launchIn('kafka', port, async folder => {
    if (options.secure !== undefined) made ??= await certificates(path.join(folder, 'certificates'))
    const secured = made && (await secureListeners(ports, { ...options.secure!, certificates: made }))
    const child = await launchKafka({
      jars: tool.path,
      java: options.fast ? [] : ['-XX:TieredStopAtLevel=1'],
      folder,
      port,
      controllerPort,
      ...(options.beside && { beside: options.beside.controllerPort }),
      ...(proxy && { proxied: { port: proxiedPort, advertisedPort: proxy.port } }),
      ...secured,
      properties: { ...keepsAll, ...secured?.properties, ...options.properties },
    })
    await untilItLeads(port).catch(async error => {
      await child.kill('SIGKILL')
      throw error
    })
    return child
  })
  await proxy?.accept()
  const secure = made && {
    sasl: [`127.0.0.1:${ports.sasl}`],
    certified: [`127.0.0.1:${ports.certified}`],
    certificates: made,
  }
  return new Kafka(launched, tool.path, { controllerPort, ...(proxy && { proxy }), ...(secure && { secure }) })
}

/**
 * After a kill, Kafka answers for a moment before it leads its partitions again, and kafkajs gives up at the first
 * "not leader": waits until it tells the offsets of every topic.
 */
async function untilItLeads(port: number): Promise<void> {
  await administer([`127.0.0.1:${port}`], async admin => {
    const topics = await admin.listTopics()
    const lead = () => Promise.all(topics.map(topic => admin.fetchTopicOffsets(topic)))
    await eventually(lead, { what: 'Kafka leads every partition', timeout: 30_000 })
  })
}

async function administer<T>(brokers: string[], act: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new KafkaClient({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    return await act(admin)
  } finally {
    await admin.disconnect()
  }
}
