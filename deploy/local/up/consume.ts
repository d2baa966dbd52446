/**
 * `npm run consume -- TOPIC [OPTION ...]`: Kafka's own console consumer, with keys, headers and timestamps shown, from
 * the beginning. Options are the console consumer's.
 */
import { spawn } from 'node:child_process'
import { ensureTools, javaArguments } from '../index.mjs'

const [topic, ...options] = process.argv.slice(2)
if (topic === undefined) {
  process.stderr.write('usage: npm run consume -- TOPIC [OPTION OF THE CONSOLE CONSUMER ...]\n')
  process.exit(2)
}
const brokers = process.env['MILLRACE_KAFKA_BROKERS'] ?? '127.0.0.1:9092'
const shown = ['key', 'headers', 'timestamp'].flatMap(what => ['--property', `print.${what}=true`])
const main = ['org.apache.kafka.tools.consumer.ConsoleConsumer', '--bootstrap-server', brokers, '--topic', topic]
const { kafka } = await ensureTools(['kafka'])
const args = javaArguments(kafka.path, ['-Xmx256m'], [...main, '--from-beginning', ...shown, ...options])
const child = spawn('java', args, { stdio: 'inherit' })
child.once('exit', code => process.exit(code ?? 1))
