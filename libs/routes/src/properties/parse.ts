/** The text of a Kafka client's `.properties` file -> its entries, by the rules of Java's `Properties`. */
import { basename } from 'node:path'
import type { ParsedFile, SourceFile } from '../document.ts'
import { legalName } from '../legal-name.ts'
import type { Place } from '../problem.ts'

/** What a client's properties say. Some of them are secrets: none may come out in a message. */
export class ClientProperties {
  /** What the connection is called: by the file's name. */
  readonly name: string
  readonly entries: ReadonlyMap<string, string>

  constructor(name: string, entries: ReadonlyMap<string, string>) {
    this.name = name
    this.entries = entries
  }

  /** A property's value; undefined where there is none, or an empty one. */
  get(key: string): string | undefined {
    return this.entries.get(key)?.trim() || undefined
  }
}

/** Whether a file holds a client's properties. */
export const isProperties = ({ file }: SourceFile): boolean => file.endsWith('.properties')

const largestText = 2 ** 20
const mostEntries = 1000

interface Entry {
  key: string
  value: string
  keyPlace: Place
  valuePlace: Place
}

/** Parses a file, which is one document. Never throws. */
export function parseProperties({ file, text }: SourceFile): ParsedFile {
  const entries = text.length > largestText ? [] : entriesOf(text)
  if (text.length > largestText || entries.length > mostEntries) {
    const message = `the file is larger than 1 MiB, or has more than ${mostEntries} properties`
    return { documents: [], faults: [{ code: 'too_large', message, line: 1, column: 1 }] }
  }
  const byKey = new Map<string, Entry>()
  const faults: ParsedFile['faults'] = []
  for (const entry of entries) {
    const message = byKey.has(entry.key) ? 'this key stands here twice' : 'expected a property and its value: key=value'
    if (byKey.has(entry.key) || !isKey(entry)) faults.push({ code: 'bad_key', message, ...entry.keyPlace })
    // What is no key may be a secret's second line.
    else byKey.set(entry.key, entry)
  }
  const values = new Map([...byKey.values()].map(({ key, value }) => [key, value]))
  return {
    documents: [
      {
        value: new ClientProperties(legalName(basename(file, '.properties')), values),
        faults,
        place([key], at) {
          const entry = byKey.get(String(key))
          if (entry === undefined) return { line: 1, column: 1 }
          return at === 'key' ? entry.keyPlace : entry.valuePlace
        },
      },
    ],
    faults: [],
  }
}

/** Whether an entry can be told by its key. */
const isKey = ({ key, value }: Entry): boolean =>
  /^[a-z][a-z0-9_]*([.-][a-z0-9_-]+)*$/.test(key) && (value !== '' || key.includes('.'))

/** The entries of a text, in order. A line that ends in a backslash goes on in the next. */
function entriesOf(text: string): Entry[] {
  const entries: Entry[] = []
  const lines = text.split(/\r\n|\n|\r/)
  for (let index = 0; index < lines.length && entries.length <= mostEntries; index++) {
    const begun = lines[index] ?? ''
    const first = { line: index + 1, column: begun.length - begun.trimStart().length + 1 }
    const parts = [begun.trimStart()]
    if (parts[0] === '' || /^[#!]/.test(begun.trimStart())) continue
    while (goesOn(lines[index] ?? '') && index + 1 < lines.length) {
      index += 1
      parts.push((lines[index] ?? '').trimStart())
    }
    const logical = parts.map((part, at) => (at < parts.length - 1 ? part.slice(0, -1) : part)).join('')
    entries.push(entryOf(logical, first))
  }
  return entries
}

/** Whether a line ends in a backslash that is not itself escaped. */
const goesOn = (line: string): boolean => (/\\*$/.exec(line)?.[0].length ?? 0) % 2 === 1

/** `key=value`, `key: value` or `key value`; the place of a value in a line that goes on is one of its first line's. */
function entryOf(logical: string, { line, column }: Place): Entry {
  const [whole = '', key = ''] = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*/.exec(logical) ?? []
  return {
    key: unescape(key),
    value: unescape(logical.slice(whole.length)),
    keyPlace: { line, column },
    valuePlace: { line, column: column + whole.length },
  }
}

const escapes: { readonly [letter: string]: string } = { t: '\t', n: '\n', r: '\r', f: '\f' }

const unescape = (text: string): string =>
  text.replace(/\\(?:u([0-9a-fA-F]{4})|(.?))/g, (_all, code: string | undefined, letter = '') =>
    code === undefined ? (escapes[letter] ?? letter) : String.fromCharCode(Number.parseInt(code, 16)),
  )
