/** `npm run millrace -- ...`: the command line, told how to reach what `npm start` runs on this machine. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { root } from '../index.mjs'
import { localFolder, natsEnvironment, readPasswords } from './fleet.ts'

/** Where NATS is that `npm start` runs; nothing where the environment names another one. */
async function ownNats(): Promise<Record<string, string>> {
  if (process.env['MILLRACE_NATS_URL']) return {}
  const passwords = await readPasswords(localFolder)
  const own = { natsUrl: 'nats://127.0.0.1:4222', ...(passwords === undefined ? {} : { passwords }) }
  return { ...natsEnvironment('cli', own), MILLRACE_NATS_MONITOR_URL: 'http://127.0.0.1:8222' }
}

const command = path.join(root, 'cli', 'src', 'main.ts')
const env = { ...(await ownNats()), ...process.env }
const child = spawn(process.execPath, [command, ...process.argv.slice(2)], { env, stdio: 'inherit' })
child.once('exit', code => process.exit(code ?? 1))
