import { apis, type Request } from './request.ts'

/** Where a broker is. */
export interface Address {
  host: string
  port: number
}

/** One topic in an answer: errors are counted a topic, so one that is gone hides no other. */
export interface TopicMetadata {
  name: string
  /** Kafka's error number; 0 is none. */
  error: number
  /** The leader's node id by partition; -1 where there is none now. */
  leaders: number[]
}

/** A cluster as one of its brokers sees it. */
export interface ClusterMetadata {
  brokers: Map<number, Address>
  topics: TopicMetadata[]
}

/** Asks for the cluster's brokers and these topics. Nothing is created by asking. */
export function metadata(topics: readonly string[]): Request<ClusterMetadata> {
  return {
    api: apis.metadata,
    encode(to) {
      to.array(topics, topic => to.string(topic)).int8(0)
    },
    decode(from) {
      from.int32() // throttled after the answer; metadata is asked for rarely
      const brokers = from.array(() => {
        const [node, host, port] = [from.int32(), from.string(), from.int32()]
        from.nullableString() // rack
        return [node, { host, port }] as const
      })
      from.nullableString() // cluster id
      from.int32() // controller
      const topics = from.array((): TopicMetadata => {
        const [error, name] = [from.int16(), from.string()]
        from.int8() // internal
        const leaders: number[] = []
        from.array(() => {
          from.int16() // the partition's error: seen as a leader of -1
          const [partition, leader] = [from.int32(), from.int32()]
          from.int32() // leader's epoch
          for (let list = 0; list < 3; list++) from.array(() => from.int32()) // replicas, in sync, offline
          leaders[partition] = leader
        })
        return { name, error, leaders: Array.from(leaders, leader => leader ?? -1) }
      })
      return { brokers: new Map(brokers), topics }
    },
  }
}
