/** The port through which the benchmark drives whatever it measures. */
import type { Place } from './place.ts'

export interface Job {
  /** The Kafka topic to write to; it exists. */
  topic: string
  /** Where MQTT is: the fast source, or mosquitto. */
  mqttPort: number
}

/** A system that carries messages now, and what its processes are, by name. */
export interface Started extends AsyncDisposable {
  processes: Record<string, number>
}

export interface System {
  name: string
  start(place: Place, job: Job): Promise<Started>
}
