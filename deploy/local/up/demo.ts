/**
 * The demo fleet: simulated sensors that publish a reading each, a few hundred a second in all, over a handful of
 * connections, as gateways in a plant do. A process of its own, so that it can be seen to be nothing special.
 */
import { connectAsync, type MqttClient } from 'mqtt'

const [url = 'mqtt://127.0.0.1:1883'] = process.argv.slice(2)
const GATEWAYS = 5
const SENSORS_PER_GATEWAY = 20
const PERIOD_MS = 500

/** One reading of one sensor: a temperature that wanders slowly, so that a chart of it looks like one. */
function reading(sensor: string, phase: number, at: number): string {
  const celsius = 21 + 4 * Math.sin(at / 60_000 + phase) + Math.random() / 2
  return JSON.stringify({ sensor, celsius: Number(celsius.toFixed(2)), at: new Date(at).toISOString() })
}

function publishReadings(client: MqttClient, gateway: number): void {
  const at = Date.now()
  for (let index = 0; index < SENSORS_PER_GATEWAY; index += 1) {
    const sensor = `s${gateway}-${index}`
    client.publish(`sensors/${sensor}/telemetry`, reading(sensor, index, at), {
      qos: 1,
      properties: { contentType: 'application/json' },
    })
  }
}

for (let gateway = 1; gateway <= GATEWAYS; gateway += 1) {
  const client = await connectAsync(url, { protocolVersion: 5, clientId: `millrace-demo-${gateway}`, clean: true })
  // The broker away: MQTT.js reconnects by itself; what it keeps meanwhile is bounded by not publishing more.
  setInterval(() => client.connected && publishReadings(client, gateway), PERIOD_MS)
}
