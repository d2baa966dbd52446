/** What a connection puts in front of the client ids that are used over it, so that brokers know whose they are. */
import type { z } from 'zod'
import { type Checked, tell, text } from './fields.ts'

const longest = 64

/** The field. Brokers give `+`, `#` and `/` in a client id a meaning in their access rules, or refuse them. */
export const clientIdPrefix = (): z.ZodString => text().check(checkPrefix)

function checkPrefix(checked: Checked<string>): void {
  if (checked.value.length <= longest && /^[!"$-*,-.0-~]*$/.test(checked.value)) return
  const message = `expected at most ${longest} visible ASCII characters, without +, # and /`
  tell(checked, message, { code: 'bad_client_id' })
}

/** `<prefix>:<id>`: two ids of ours differ whatever their prefixes, for no id has a colon. */
export const prefixedId = (prefix: string | undefined, id: string): string =>
  prefix === undefined ? id : `${prefix}:${id}`
