/** The commands, their arguments, and the help that teaches them. */
import { readFileSync } from 'node:fs'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { apply, lint } from './apply.ts'
import { convert } from './convert.ts'
import { remove } from './delete.ts'
import { drain } from './drain.ts'
import { get, kindNames } from './get.ts'
import { natsUsersBlock } from './nats-users.ts'
import { status } from './status.ts'
import { tap } from './tap.ts'
import type { Terminal } from './terminal.ts'
import { applyAgain } from './watch.ts'

const help = `
Examples:
  millrace lint -f examples/telemetry       check documents; needs no installation
  millrace apply -f examples/telemetry      show what changes, and change it
  millrace apply -f /etc/millrace --watch   keep what applies as the files of a folder say
  millrace status --watch                   who runs what, how fast, and what is in the way
  millrace tap telemetry --count 5          records of a route as they pass: stored, and what was made of them
  millrace convert examples/iot-mq          documents of other products, and what they become here
  millrace get route telemetry              a route as it applies, with every default
  millrace delete route telemetry           stop its source, deliver what is stored, then forget it
  millrace drain kafka-egress.1             move an instance's lanes elsewhere before it is stopped

Settings, from the environment:
  MILLRACE_NATS_URL                         NATS server, or several with commas between (nats://127.0.0.1:4222)
  MILLRACE_NATS_CA                          file of CA certificates (PEM) that the NATS server must be signed by
  MILLRACE_NATS_PASSWORD                    password of the NATS user cli, or
  MILLRACE_NATS_PASSWORD_FILE               a file that holds it
  MILLRACE_NATS_MONITOR_URL                 for status: nats-server's monitoring, to tell whether it syncs

Exit codes:
  0    done
  1    refused or failed; standard error says why
  2    wrong arguments, or invalid documents: nothing was changed
  3    NATS, or a leading coordinator, could not be reached
  130  stopped by Ctrl-C`

/** The whole command line. Its actions throw; help and usage errors throw commander's own error. */
export function program(terminal: Terminal): Command {
  const millrace = new Command('millrace')
    .description('Carries messages between MQTT and Kafka. This command says what is carried, and shows how it goes.')
    .addHelpText('after', help)
    .exitOverride()
    .configureOutput({ writeOut: text => terminal.out(text.trimEnd()), writeErr: text => terminal.err(text.trimEnd()) })
    .showHelpAfterError('Try --help.')
  addDocumentCommands(millrace, terminal)
  addFleetCommands(millrace, terminal)
  return millrace
}

const files = () =>
  new Option('-f, --file <path...>', 'files, folders of them, or - for standard input').makeOptionMandatory()
const output = () => new Option('-o, --output <format>', 'for programs').choices(['json'])
const kind = () => new Argument('kind', 'which kind of document').choices(kindNames)

function addDocumentCommands(millrace: Command, terminal: Terminal): void {
  millrace
    .command('lint')
    .description('check connections and routes; every problem with its file:line:column')
    .addOption(files())
    .addOption(output())
    .action(options => lint(options, terminal))
  millrace
    .command('apply')
    .description('add or replace the connections and routes of these documents; others stay as they are')
    .addOption(files())
    .option('--dry-run', 'show what would change, and change nothing')
    .addOption(
      new Option(
        '-w, --watch',
        'apply again whenever the files change, until Ctrl-C; what vanishes from them is not deleted',
      ).conflicts('dryRun'),
    )
    .addOption(output())
    .action(({ watch, ...options }) => (watch ? applyAgain : apply)(options, terminal))
  millrace
    .command('convert')
    .description('print what documents of other products become: Azure IoT MQ, and Kafka clients (.properties)')
    .argument('<path...>', 'files, folders of them, or - for standard input')
    .option('--secrets <folder>', 'write the secrets that .properties files hold to where services look for them')
    .addOption(output())
    .action((paths, options) => convert(paths, options, terminal))
  millrace
    .command('get')
    .description('print what applies, as documents that can be applied again')
    .addArgument(kind().argOptional())
    .argument('[name]', 'only this one; none: all')
    .addOption(output())
    .action((kind, name, options) => get(kind, name, options, terminal))
  millrace
    .command('delete')
    .description('delete routes, or connections that no route names; what is stored is delivered first')
    .addArgument(kind())
    .argument('<name...>', 'their names')
    .option('--discard', 'throw away what is stored instead of delivering it; says how much, and needs --yes')
    .option('--yes', 'with --discard: do it')
    .addOption(output())
    .action((kind, names, options) => remove(kind, names, options, terminal))
}

function addFleetCommands(millrace: Command, terminal: Terminal): void {
  millrace
    .command('status')
    .description('routes with their guarantee and rates, lanes with their owner, instances')
    .option('-w, --watch', 'again and again, until Ctrl-C')
    .addOption(output())
    .action(options => status(options, terminal))
  millrace
    .command('tap')
    .description(
      'show samples of the records of a route, payloads and all: as its source stored them, and what its sink made of them',
    )
    .argument('<route>', 'its name')
    .option('--lane <lane>', 'only this lane; none: all')
    .addOption(new Option('-n, --count <records>', 'end after so many; none: at Ctrl-C').argParser(wholeNumber))
    .option('--full', 'do not cut what is long')
    .addOption(output())
    .action((route, options) => tap(route, options, terminal))
  millrace
    .command('drain')
    .description('have an instance finish what is in flight and give its lanes away; returns when it has none')
    .argument('<instance>', '<service>.<instance>, as status shows it')
    .action(instance => drain(instance, terminal))
  millrace
    .command('nats-users')
    .description('print the accounts of nats-server: a user for each service, with the least that it needs')
    .action(() => natsUsersBlock(terminal))
  millrace
    .command('version')
    .description('print the version')
    .addOption(output())
    .action(options => {
      const version = readVersion()
      terminal.out(options.output === 'json' ? JSON.stringify({ version }) : version)
    })
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number of 1 or more.')
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return String(Reflect.get(Object(manifest), 'version'))
}
