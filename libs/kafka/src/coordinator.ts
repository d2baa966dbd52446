/**
 * The broker that keeps something by its name: a transactional id, a group. It moves when brokers come and go, and is
 * busy for moments: both are waited for here, because they are normal.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, nameOfBrokerError } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import { KafkaError } from './errors.ts'
import type { Request } from './requests/request.ts'

const patienceMs = 15_000
/** What a transaction needs to end is done in single milliseconds. */
const firstWait = 1
const longestWait = 500

/** It is, or will be, another broker. */
const moving = new Set(['COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR'].map(codeOf))
/** A transaction has not ended quite yet. */
const busy = new Set(['CONCURRENT_TRANSACTIONS', 'UNSTABLE_OFFSET_COMMIT'].map(codeOf))

/** Asks it, wherever it is. */
export class Coordinator {
  readonly #cluster: Cluster
  readonly #find: Request<{ error: number; node: number }>
  #node: number | undefined

  /** `find` asks which broker it is. */
  constructor(cluster: Cluster, find: Request<{ error: number; node: number }>) {
    this.#cluster = cluster
    this.#find = find
  }

  /**
   * Sends a request, again after an error that passes. Gives the answer, whose error is another one, or has not passed
   * in 15 s. Throws KafkaError.
   */
  async ask<Answer extends { error: number }>(request: Request<Answer>): Promise<Answer> {
    const deadline = performance.now() + patienceMs
    for (let wait = firstWait; ; wait = Math.min(wait * 2, longestWait)) {
      const { error, answer } = await this.#once(request)
      if (moving.has(error)) this.#node = undefined
      const mayPass = (moving.has(error) || busy.has(error)) && performance.now() < deadline
      if (!mayPass && answer !== undefined) return answer
      if (!mayPass) {
        const message = `The cluster names no coordinator for ${request.api.name}: ${nameOfBrokerError(error)}.`
        throw new KafkaError('broker_error', message, { kafkaCode: error })
      }
      await sleep(wait)
    }
  }

  async #once<Answer extends { error: number }>(request: Request<Answer>): Promise<{ error: number; answer?: Answer }> {
    if (this.#node === undefined) {
      const { error, node } = await this.#cluster.ask(this.#find)
      if (error !== 0) return { error }
      this.#node = node
    }
    try {
      const connection = await this.#cluster.broker(this.#node)
      const answer = await connection.send(request)
      return { error: answer.error, answer }
    } catch (error) {
      this.#node = undefined
      throw error
    }
  }
}
