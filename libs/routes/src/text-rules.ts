/** What no text of a document may hold, whatever field it stands in. */
import type { IssueDetail } from './fields.ts'

/** What is wrong with a key or a text, or undefined. The message never repeats the text. */
export function textFault(text: string): (IssueDetail & { message: string }) | undefined {
  const character = forbidden.exec(text)
  if (character !== null) {
    const code = (character[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
    const message = `the character U+${code} can't be seen and may not stand here`
    return { code: 'bad_character', message, offset: character.index }
  }
  if (!text.isWellFormed()) return { code: 'bad_character', message: 'half of a surrogate pair may not stand here' }
  const secret = inlineSecret.exec(text)
  if (secret === null) return undefined
  const hint = 'put it into a file or variable of the services, and name that with secretName'
  return { code: 'inline_secret', message: 'a secret never stands in a document', hint, offset: secret.index }
}

/** Controls but tab and line feed; what only formats (zero width, bidirectional, byte order mark); line separators. */
const forbidden = /(?![\t\n])[\p{Cc}\p{Cf}\u2028\u2029]/u

const inlineSecret = /-----BEGIN |SharedAccess(?:Key|Signature)\s*=|\b(?:password|passwd|secret)\s*=/i
