/** `npm run millrace -- ...`: the command line, with the NATS password of this machine's installation. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { root } from '../index.mjs'
import { localFolder, natsEnvironment, readPasswords } from './fleet.ts'

const passwords = process.env['MILLRACE_NATS_URL'] ? undefined : await readPasswords(localFolder)
const natsUrl = process.env['MILLRACE_NATS_URL'] ?? 'nats://127.0.0.1:4222'
const env = {
  ...natsEnvironment('cli', { natsUrl, ...(passwords === undefined ? {} : { passwords }) }),
  ...process.env,
}
const command = path.join(root, 'cli', 'src', 'main.ts')
const child = spawn(process.execPath, [command, ...process.argv.slice(2)], { env, stdio: 'inherit' })
child.once('exit', code => process.exit(code ?? 1))
