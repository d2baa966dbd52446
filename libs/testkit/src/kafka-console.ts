/** Kafka's own console consumer and producer: programs that know nothing of ours. */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { javaArguments } from '@millrace/local'

/** A record as the console consumer prints it: text, with headers as `name:value,name:value` or `NO_HEADERS`. */
export interface ConsoleRecord {
  readonly timestamp: string
  readonly partition: number
  readonly offset: number
  readonly headers: string
  /** `null` in words where the record has none. */
  readonly key: string
  readonly value: string
}

/** A record as the console producer takes it. None of its texts may hold a tab or a newline. */
export interface Line {
  readonly key: string
  readonly value: string
  /** `name:value,name:value` */
  readonly headers: string
}

/** Reads `count` records of a topic from its beginning. */
export async function consume(
  jars: string,
  { brokers, topic, count }: { brokers: string[]; topic: string; count: number },
): Promise<ConsoleRecord[]> {
  const printed = await java(
    jars,
    '',
    `org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server ${brokers.join()} --topic ${topic}
     --from-beginning --max-messages ${count} --timeout-ms 20000
     --property print.timestamp=true --property print.partition=true --property print.offset=true
     --property print.headers=true --property print.key=true`,
  )
  return printed
    .split('\n')
    .filter(line => line !== '')
    .map(parse)
}

/** `CreateTime:1 <tab> Partition:0 <tab> Offset:2 <tab> a:b <tab> key <tab> value`; only the value may hold a tab. */
function parse(line: string): ConsoleRecord {
  const [timestamp = '', partition = '', offset = '', headers = '', key = '', ...value] = line.split('\t')
  return {
    timestamp: afterColon(timestamp),
    partition: Number(afterColon(partition)),
    offset: Number(afterColon(offset)),
    headers,
    key,
    value: value.join('\t'),
  }
}

function afterColon(field: string): string {
  return field.slice(field.indexOf(':') + 1)
}

/** Writes lines to a topic; `compression` is one of Kafka's names, such as `zstd`. */
export async function produce(
  jars: string,
  { brokers, topic, compression }: { brokers: string[]; topic: string; compression: string },
  lines: readonly Line[],
): Promise<void> {
  const input = lines.map(({ headers, key, value }) => `${headers}\t${key}\t${value}\n`).join('')
  await java(
    jars,
    input,
    `org.apache.kafka.tools.ConsoleProducer --bootstrap-server ${brokers.join()} --topic ${topic}
     --compression-codec ${compression} --property parse.key=true --property parse.headers=true`,
  )
}

/** Runs one of Kafka's programs, `main` with its arguments, to its end, and gives what it printed. */
async function java(jars: string, input: string, main: string): Promise<string> {
  const child = spawn('java', javaArguments(jars, ['-Xmx256m', '-XX:TieredStopAtLevel=1'], main.split(/\s+/)))
  child.stdin.end(input)
  const closed = new Promise<number | null>(resolve => child.once('close', resolve))
  const [printed, problems, code] = await Promise.all([text(child.stdout), text(child.stderr), closed])
  if (code !== 0) throw new Error(`ended with ${code}: ${main}\n${problems}`)
  return printed
}
