/**
 * A service's settings: one schema, from which come the values, the types, the messages, and the README's table.
 * A field `natsUrl` is read from `MILLRACE_NATS_URL`. One marked `.meta({ secret: true })` may be given as the path of
 * a file instead, in `MILLRACE_NATS_PASSWORD_FILE`, and is never shown. A variable that is empty counts as not set.
 */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { authorityProblem } from '@millrace/bus'
import { z } from 'zod'

const defaultInstance = hostname()
  .replaceAll(/[^A-Za-z0-9_-]/g, '-')
  .slice(0, 64)

/** What every service can be told. */
const baseSettings = {
  natsUrl: z
    .string()
    .refine(
      urls => urls.split(',').every(isNatsUrl),
      'expected nats://host:port or tls://host:port, several with commas',
    )
    .default('nats://127.0.0.1:4222')
    .describe('NATS server, or several with commas between.'),
  natsCa: z
    .string()
    .superRefine((file, context) => {
      const message = authorityProblem(file)
      if (message !== undefined) context.addIssue({ code: 'custom', message })
    })
    .optional()
    .describe('File of CA certificates (PEM) that the NATS server must be signed by; with it everything is encrypted.'),
  natsPassword: z
    .string()
    .optional()
    .describe("Password of this service's NATS user, whose name is the service's; none where NATS asks for none.")
    .meta({ secret: true }),
  instance: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 of A-Z a-z 0-9 _ -')
    .default(defaultInstance)
    .describe('Name of this instance: kept over restarts, and its own among the instances of the service.')
    .meta({ shownDefault: 'the host name' }),
  httpHost: z.string().default('127.0.0.1').describe('Address on which /livez, /readyz and /metrics answer.'),
  httpPort: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe('Their port; 0 takes a free one and logs it.'),
  secretsDir: z
    .string()
    .default('/etc/millrace/secrets')
    .describe('Folder of the secrets that connections name: `<folder>/<secretName>/<key>`.'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
    .default('info')
    .describe('The least level that is logged.'),
} satisfies z.ZodRawShape

type Values<S extends z.ZodRawShape> = z.infer<z.ZodObject<S>>

/** The settings of a service: those that all have, and its own. */
export type Settings<S extends z.ZodRawShape> = Values<typeof baseSettings> & Values<S>

/** The settings, or every problem in them, each a sentence that begins with its variable and shows no secret. */
export type SettingsResult<S extends z.ZodRawShape> =
  | { settings: Settings<S>; secrets: string[] }
  | { problems: string[] }

type Environment = Readonly<Record<string, string | undefined>>

/** Reads the settings from the environment. `own` are the fields that the service adds. */
export function readSettings<S extends z.ZodRawShape>(own: S, env: Environment): SettingsResult<S> {
  const problems: string[] = []
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    problems.push('NODE_TLS_REJECT_UNAUTHORIZED: 0 would accept any server; give the CA to the connection instead')
  }
  const secrets: string[] = []
  const given: Record<string, string> = {}
  for (const [key, field] of Object.entries({ ...baseSettings, ...own })) {
    const read = isSecret(field) ? readSecret(variableOf(key), env) : { value: env[variableOf(key)] || undefined }
    if ('problem' in read) problems.push(read.problem)
    else if (read.value !== undefined) given[key] = read.value
    if (isSecret(field) && given[key] !== undefined) secrets.push(given[key])
  }
  const base = z.object(baseSettings).safeParse(given)
  const more = z.object(own).safeParse(given)
  for (const issue of [...(base.error?.issues ?? []), ...(more.error?.issues ?? [])]) {
    problems.push(`${variableOf(String(issue.path[0]))}: ${issue.message}`)
  }
  if (problems.length > 0 || !base.success || !more.success) return { problems }
  return { settings: { ...base.data, ...more.data }, secrets }
}

/** The table of a service's settings, in Markdown, for its README. */
export function settingsTable(own: z.ZodRawShape): string {
  const rows = Object.entries({ ...baseSettings, ...own }).map(([key, field]) => {
    const name = `\`${variableOf(key)}\`${isSecret(field) ? ` or \`${variableOf(key)}_FILE\`` : ''}`
    return `| ${name} | ${defaultOf(field)} | ${metaOf(field)?.description ?? ''} |`
  })
  return ['| variable | default | what it is |', '|---|---|---|', ...rows].join('\n')
}

/** Without a user: that has a setting, so that it is kept out of whatever shows the URL. */
function isNatsUrl(text: string): boolean {
  const url = URL.parse(text.trim())
  return url !== null && /^(nats|tls):$/.test(url.protocol) && url.hostname !== '' && url.username + url.password === ''
}

/** The rows of that table that a README lacks, however it lays its tables out. */
export function settingsMissingFrom(readme: string, own: z.ZodRawShape): string[] {
  const bare = (row: string) => row.replaceAll(/[ -]/g, '')
  const there = new Set(readme.split('\n').map(bare))
  return settingsTable(own)
    .split('\n')
    .filter(row => !there.has(bare(row)))
}

function readSecret(variable: string, env: Environment): { value: string | undefined } | { problem: string } {
  const value = env[variable] || undefined
  const file = env[`${variable}_FILE`] || undefined
  if (file === undefined) return { value }
  if (value !== undefined) return { problem: `${variable}: set it or ${variable}_FILE, not both` }
  try {
    return { value: readFileSync(file, 'utf8').replace(/\r?\n$/, '') || undefined }
  } catch (cause) {
    return { problem: `${variable}_FILE: can't be read: ${cause instanceof Error ? cause.message : String(cause)}` }
  }
}

function variableOf(key: string): string {
  return `MILLRACE_${key.replaceAll(/[A-Z]/g, capital => `_${capital}`).toUpperCase()}`
}

function metaOf(field: z.core.$ZodType): z.core.GlobalMeta | undefined {
  return z.globalRegistry.get(field)
}

function isSecret(field: z.core.$ZodType): boolean {
  return metaOf(field)?.['secret'] === true
}

/** What stands in the table: a default that differs from host to host is described instead. */
function defaultOf(field: z.core.$ZodType): string {
  const shown = metaOf(field)?.['shownDefault']
  if (typeof shown === 'string') return shown
  const absent = z.safeParse(field, undefined)
  if (!absent.success) return 'required'
  if (absent.data === undefined) return ''
  return `\`${typeof absent.data === 'string' ? absent.data : JSON.stringify(absent.data)}\``
}
