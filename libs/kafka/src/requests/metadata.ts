import type { Reader } from '../wire.ts'
import { apis, type Request } from './request.ts'

/** Where a broker is. */
export interface Address {
  host: string
  port: number
}

/** Who leads a partition, and since when. */
export interface Leader {
  /** The broker's node id; -1 where there is none now. */
  node: number
  /** Grows with each election; -1 where unknown. */
  epoch: number
}

/** One topic in an answer: errors are counted a topic, so one that is gone hides no other. */
export interface TopicMetadata {
  name: string
  /** Tells a topic from another one that had its name; '' from brokers before 2.8. */
  id: string
  /** Kafka's error number; 0 is none. */
  error: number
  /** By partition. */
  leaders: Leader[]
}

/** A cluster as one of its brokers sees it. */
export interface ClusterMetadata {
  /** Tells a cluster from others; '' where it does not say. */
  id: string
  brokers: Map<number, Address>
  topics: TopicMetadata[]
}

const nobody: Leader = { node: -1, epoch: -1 }

/** Asks for the cluster's brokers and these topics; null is all topics. Nothing is created by asking. */
export function metadata(topics: readonly string[] | null): Request<ClusterMetadata> {
  return {
    api: apis.metadata,
    encode(to, version) {
      if (topics === null) to.nullArray()
      else {
        to.array(topics, topic => {
          if (version >= 10) to.uuid('')
          to.string(topic).end()
        })
      }
      to.int8(0) // create no topics
      if (version >= 8) to.int8(0).int8(0) // nor tell what we may do
      to.end()
    },
    decode(from, version) {
      from.int32() // throttled after the answer; metadata is asked for rarely
      const brokers = from.array(() => {
        const [node, host, port] = [from.int32(), from.string(), from.int32()]
        from.nullableString() // rack
        from.end()
        return [node, { host, port }] as const
      })
      const id = from.string()
      from.int32() // controller
      const topics = from.array(() => topicIn(from, version))
      return { id, brokers: new Map(brokers), topics }
    },
  }
}

function topicIn(from: Reader, version: number): TopicMetadata {
  const [error, name] = [from.int16(), from.string()]
  const id = version >= 10 ? from.uuid() : ''
  from.int8() // whether it is Kafka's own
  const leaders: Leader[] = []
  from.array(() => {
    from.int16() // the partition's error: seen as a leader of -1
    const [partition, node] = [from.int32(), from.int32()]
    const epoch = version >= 7 ? from.int32() : -1
    for (let list = 0; list < 3; list++) from.array(() => from.int32()) // replicas, in sync, offline
    from.end()
    leaders[partition] = { node, epoch }
  })
  if (version >= 8) from.int32() // what we may do with the topic
  from.end()
  return { name, id, error, leaders: Array.from(leaders, leader => leader ?? nobody) }
}
