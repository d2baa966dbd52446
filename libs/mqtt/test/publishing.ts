/** A publisher that a test gives records to, and what a subscriber saw of them. */
import { viewOf } from '@millrace/record'
import { connectToPublish, type Login, PublishMapper, Publisher, type PublisherOptions } from '../src/index.ts'

/** What a test wants published. */
export interface Given {
  topic: string
  value: string | Buffer
  qos?: 0 | 1 | 2
  retain?: boolean
  headers?: [string, Buffer | null][]
}

/** A publisher with the options that a test changes one or two of. */
export function publisherTo(port: number, changed: Partial<PublisherOptions & Login> = {}): Publisher {
  const login = { host: '127.0.0.1', port, clientId: 'publisher', keepAlive: 30, ...changed }
  return new Publisher({
    version: 5,
    onNoSubscribers: 'done',
    onExpired: 'drop',
    isFixedTopic: false,
    connect: () => connectToPublish(login, new AbortController().signal),
    mayConnect: () => true,
    ...changed,
  })
}

/** Adds records to the publisher, in order. */
export function add(publisher: Publisher, ...records: Given[]): void {
  const mapper = new PublishMapper('lossless')
  for (const [index, { topic, value, qos = 1, retain = false, headers = [] }] of records.entries()) {
    const view = viewOf({ timestamp: 1, key: null, value: Buffer.from(value), headers })
    mapper.read(view, { topic: null, partition: null, offset: null })
    const { expiresAt, properties } = mapper
    publisher.add({ topic, qos, retain, expiresAt, properties }, view, index)
  }
}
