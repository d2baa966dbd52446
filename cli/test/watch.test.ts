/** Watched files against a coordinator, in a folder as Kubernetes mounts one: links, behind which all is swapped at once. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bareEnvironment, eventually } from '@millrace/testkit'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type Led, startLed } from './led.ts'
import { examples, main } from './spawn.ts'

let led: Led
let folder: string
/** What the watching command has said. */
let [out, err] = ['', '']

beforeAll(async () => {
  led = await startLed()
  folder = await mkdtemp(join(tmpdir(), 'millrace-watched-'))
})
afterAll(async () => {
  await led[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const names = ['connections.yaml', 'route.yaml', 'other.yaml']
let versions = 0

/** Swaps what the folder holds for these documents, at once. */
async function swap(documents: Record<string, string>): Promise<void> {
  const version = `..v${++versions}`
  await mkdir(join(folder, version))
  for (const [name, text] of Object.entries(documents)) await writeFile(join(folder, version, name), text)
  await symlink(version, join(folder, '..next'))
  await rename(join(folder, '..next'), join(folder, '..data'))
}

async function seen(text: string, what: string): Promise<void> {
  await eventually(() => (out + err).includes(text), { what: `${what}; it said ${out} ${err}`, timeout: 30_000 })
}

const topicsOf = async (route: string): Promise<unknown> => {
  const [found] = JSON.parse((await led.cli(['get', 'route', route, '-o', 'json'])).out)
  return found.spec.source.topics
}

test('what is in the files applies whenever it has changed and is valid; nothing else does', {
  timeout: 120_000,
}, async () => {
  const connections = await readFile(join(examples, 'telemetry', 'connections.yaml'), 'utf8')
  const routeFor = (topics: string) => `
apiVersion: millrace.dev/v1
kind: Route
metadata: { name: r }
spec: { source: { connection: local-mqtt, topics: [${topics}] }, sink: { connection: local-kafka, topic: t } }
`
  const other = routeFor('other').replace('name: r ', 'name: other ')
  const all = { 'connections.yaml': connections, 'route.yaml': routeFor('a'), 'other.yaml': other }
  await swap(all)
  for (const name of names) await symlink(join('..data', name), join(folder, name))

  const env = { ...bareEnvironment(), ...led.env }
  const child = spawn(process.execPath, [main, 'apply', '-f', folder, '--watch'], { env })
  onTestFinished(() => void child.kill('SIGKILL'))
  child.stdout.on('data', chunk => (out += chunk))
  child.stderr.on('data', chunk => (err += chunk))
  await seen('+ Route r\napplied', 'applied at the start')
  expect(await topicsOf('r')).toEqual(['a'])

  await swap({ ...all, 'route.yaml': routeFor('b') })
  await seen('["a"] -> ["b"]', 'a swap is applied')
  await eventually(async () => String(await topicsOf('r')) === 'b', { what: 'it applies' })

  await swap({ ...all, 'other.yaml': other.replace('topics', 'topic'), 'route.yaml': routeFor("c, '#/d'") })
  await seen('nothing was changed; what applied before runs on', 'a bad state is refused whole')
  expect(err).toMatch(/other\.yaml:5:.*topic/)
  expect(err).toMatch(/route\.yaml:5:.*# stands at the end only/)
  expect(await topicsOf('r')).toEqual(['b'])

  await writeFile(join(folder, '..data', 'other.yaml'), other)
  await writeFile(join(folder, '..data', 'route.yaml'), routeFor('c'))
  await seen('["b"] -> ["c"]', 'what is mended in place is applied')

  await rm(join(folder, 'other.yaml'))
  await seen('route other is in the files no more, and stays as it is; millrace delete route other ends it', 'told')
  expect(await topicsOf('other')).toEqual(['other'])

  const moved = connections.replaceAll(/mqtt:\/\/[^\s"']+/g, 'mqtt://127.0.0.1:1884')
  await swap({ 'connections.yaml': moved, 'route.yaml': routeFor('c') })
  await seen('delete the route (its messages are delivered first), then apply it again.; what applied', 'it is refused')
  expect(await led.cli(['delete', 'route', 'r', 'other', '--discard', '--yes'])).toMatchObject({ code: 0 })
  await seen('+ Route r (starts anew with its connection local-mqtt)\napplied', 'what can pass now applies')
  expect(err.match(/would read another broker/g)).toHaveLength(1)

  child.kill('SIGINT')
  expect(child.exitCode ?? (await once(child, 'exit'))[0]).toBe(130)
})

test('standard input can not be watched, nor watched without applying', async () => {
  expect(await led.cli(['apply', '-f', '-', '--watch'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('watched'),
  })
  expect(await led.cli(['apply', '-f', 'x', '--watch', '--dry-run'])).toMatchObject({ code: 2 })
})
