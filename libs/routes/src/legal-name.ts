/** Names of connections and routes, made from those of other products. */
import { createHash } from 'node:crypto'

const longest = 63

/** A name as documents may have it (a DNS label), made from any text. One that must be cut stays apart from others. */
export function legalName(text: string): string {
  const label = labelOf(text)
  if (label.length <= longest) return label
  const mark = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return `${label.slice(0, longest - mark.length - 1)}-${mark}`
}

const labelOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
