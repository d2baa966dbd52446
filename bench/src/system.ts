/** The port through which the benchmark drives whatever it measures. */
import type { Place } from './place.ts'

/** From MQTT to Kafka, or from a Kafka topic that is full already. */
export type Ends = 'mqtt-kafka' | 'kafka-mqtt' | 'kafka-kafka'

export interface Job {
  ends: Ends
  /** The Kafka topic to write to, where that is Kafka; it exists. */
  topic: string
  /** The Kafka topic to read from its beginning, where that is Kafka. */
  from?: string
  /** Where MQTT is: the fast source, or mosquitto. */
  mqttPort: number
  exactlyOnce?: boolean
}

/** A system that is started, and what its processes are, by name. */
export interface Started extends AsyncDisposable {
  processes: Record<string, number>
}

export interface System {
  name: string
  /** Starts it, so far that it carries messages when there are any. */
  start(place: Place, job: Job): Promise<Started>
  /** Where messages are there already: starts it without a route; what it returns begins. */
  prepare?(place: Place, job: Job): Promise<Started & { begin(): Promise<void> }>
}
