/** `millrace nats-users`: the accounts for a nats-server of one's own. */
import { natsUserNames, natsUsers } from '@millrace/bus'
import type { Terminal } from './terminal.ts'

/** Prints the block. Passwords are not in it: nats-server takes each from a variable of its own environment. */
export function natsUsersBlock(terminal: Terminal): void {
  const block = natsUsers({
    'mqtt-ingress': 'password of mqtt-ingress',
    'kafka-ingress': 'password of kafka-ingress',
    'mqtt-egress': 'password of mqtt-egress',
    'kafka-egress': 'password of kafka-egress',
    coordinator: 'password of coordinator',
    cli: 'password of cli',
  })
  const lines = [
    '# Add this to the configuration of nats-server, and give it these variables (letters and digits only, and a',
    '# letter first); each service has the same as its MILLRACE_NATS_PASSWORD:',
    ...natsUserNames.map(user => `#   ${variable(user)}`),
    natsUserNames.reduce((text, user) => text.replace(`"password of ${user}"`, `$${variable(user)}`), block).trimEnd(),
  ]
  terminal.out(lines.join('\n'))
}

const variable = (user: string): string => `NATS_PASSWORD_${user.toUpperCase().replaceAll('-', '_')}`
