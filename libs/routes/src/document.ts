/**
 * YAML text -> plain values that know where they stand. Hostile text is met here: its size and depth are bounded before
 * anything recursive sees it, aliases are not followed at all, and no key reaches an object's prototype.
 */
import { type CST, Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser } from 'yaml'
import type { IssueDetail } from './fields.ts'
import type { Place } from './problem.ts'
import { textFault } from './text-rules.ts'

/** One file as it was read. */
export interface SourceFile {
  /** For messages. */
  file: string
  text: string
}

/** A fault of the text itself. */
interface TextFault extends Place {
  code: string
  message: string
  hint?: string | undefined
}

/** The same, at an offset. */
interface Fault extends IssueDetail {
  message: string
  offset: number
}

/** One document of a file. */
export interface ParsedDocument {
  /** Maps (without a prototype), lists, and scalars of the YAML 1.2 core schema; or a client's properties. */
  value: unknown
  /** What may not stand there, and is not in the value. */
  faults: TextFault[]
  /** Where a field's value stands, or its key, or the nearest that there is of a field that is missing. */
  place(path: readonly PropertyKey[], at?: 'key' | number): Place
}

/** A file's documents; those that are not YAML are left out, and told. */
export interface ParsedFile {
  documents: ParsedDocument[]
  faults: TextFault[]
}

const largestText = 2 ** 20
/** Of what the lexer sees as one piece; parsing so many takes a tenth of a second. */
const mostPieces = 50_000
/** The longest topic filter, and some quotes. */
const longestPiece = 66_000
const deepest = 50
const mostFaults = 100

/** Parses a file of any number of documents. Never throws. */
export function parseFile(text: string): ParsedFile {
  const lines = new LineCounter()
  const faults: Fault[] = []
  const documents: ParsedDocument[] = []
  const tokens = tokensOf(text, lines, faults)
  const composer = new Composer({ uniqueKeys: false, stringKeys: true, resolveKnownTags: false, merge: false })
  for (const document of composer.compose(tokens, false, text.length)) {
    const errors = [...document.errors, ...document.warnings]
    for (const { message, pos } of errors) {
      // Cut where it begins to quote the text, which may hold a secret.
      faults.push({ code: 'bad_yaml', message: message.replace(/(?<! ): .*$/s, '').slice(0, 100), offset: pos[0] })
    }
    if (errors.length > 0 || (isScalar(document.contents) && document.contents.value === null)) continue
    const walk = new Walk(text, lines)
    const value = walk.read(document.contents, [])
    documents.push({ value, faults: placed(walk.faults, lines), place: (path, at) => walk.place(path, at) })
  }
  return { documents, faults: placed(faults, lines) }
}

/** The text's tokens; none at all where it is too large or too deep to be looked at. */
function tokensOf(text: string, lines: LineCounter, faults: Fault[]): CST.Token[] {
  lines.addNewLine(0)
  if (Buffer.byteLength(text) > largestText) {
    faults.push({ code: 'too_large', message: 'the file is larger than 1 MiB', hint: 'split it', offset: 0 })
    return []
  }
  const parser = new Parser(offset => lines.addNewLine(offset))
  const tokens: CST.Token[] = []
  let pieces = 0
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token)
    pieces += 1
    // A level is two tokens on the parser's stack at most: a collection, and the one that holds it.
    if (parser.stack.length > deepest * 2) {
      faults.push({ code: 'too_deep', message: `more than ${deepest} levels`, offset: parser.offset })
      return []
    }
    if (pieces > mostPieces || lexeme.length > longestPiece) {
      faults.push({
        code: 'too_large',
        message: 'the file, or a text in it, is too long',
        hint: 'split it',
        offset: parser.offset,
      })
      return []
    }
  }
  return [...tokens, ...parser.end()]
}

function placed(faults: readonly Fault[], lines: LineCounter): TextFault[] {
  return faults
    .slice(0, mostFaults)
    .map(({ code, message, hint, offset }) => ({ code, message, hint, ...placeAt(lines, offset) }))
}

function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

interface Span {
  start: number
  end: number
  keyStart: number
}

/** Turns one document's nodes into plain values, and remembers where each stands. */
class Walk {
  readonly faults: Fault[] = []
  readonly #text: string
  readonly #lines: LineCounter
  readonly #spans = new Map<string, Span>()
  readonly #texts = new Map<string, string>()

  constructor(text: string, lines: LineCounter) {
    this.#text = text
    this.#lines = lines
  }

  read(node: unknown, path: readonly PropertyKey[], keyStart?: number): unknown {
    const [start, end] = rangeOf(node) ?? [keyStart ?? 0, keyStart ?? 0]
    this.#spans.set(keyOf(path), { start, end, keyStart: keyStart ?? start })
    if (isAlias(node)) {
      this.faults.push({ code: 'alias', message: 'aliases are not followed; write the value out', offset: start })
      return undefined
    }
    if (isSeq(node)) return node.items.map((item, index) => this.read(item, [...path, index]))
    if (isMap(node)) return this.#map(node.items, path)
    const value: unknown = isScalar(node) ? node.value : null
    if (typeof value === 'string') this.#scalar(value, path, start)
    return value
  }

  #map(pairs: readonly { key: unknown; value: unknown }[], path: readonly PropertyKey[]): Record<string, unknown> {
    const value: Record<string, unknown> = Object.create(null)
    for (const pair of pairs) {
      const key = isScalar(pair.key) && typeof pair.key.value === 'string' ? pair.key.value : undefined
      const offset = rangeOf(pair.key)?.[0] ?? 0
      const fault = key === undefined ? { code: 'bad_key', message: 'a key is plain text' } : keyFault(key, value)
      if (fault !== undefined) this.faults.push({ ...fault, offset })
      else if (key !== undefined) value[key] = this.read(pair.value, [...path, key], offset)
    }
    return value
  }

  #scalar(value: string, path: readonly PropertyKey[], start: number): void {
    this.#texts.set(keyOf(path), value)
    const fault = textFault(value)
    if (fault !== undefined) this.faults.push({ ...fault, offset: start })
  }

  place(path: readonly PropertyKey[], at?: 'key' | number): Place {
    const span = this.#spans.get(keyOf(path))
    if (span === undefined) return path.length === 0 ? placeAt(this.#lines, 0) : this.place(path.slice(0, -1), 'key')
    if (at === 'key') return placeAt(this.#lines, span.keyStart)
    return placeAt(this.#lines, span.start + (at === undefined ? 0 : this.#inside(path, span, at)))
  }

  /** How far into its source a place inside a text is; 0 where escapes or folding make the two differ. */
  #inside(path: readonly PropertyKey[], span: Span, offset: number): number {
    const written = this.#text.slice(span.start, span.end)
    const begins = written.indexOf(this.#texts.get(keyOf(path)) ?? '\0')
    return begins === -1 ? 0 : begins + offset
  }
}

function keyFault(key: string, seen: object): (IssueDetail & { message: string }) | undefined {
  if (Object.hasOwn(seen, key)) return { code: 'duplicate_key', message: 'this key stands here twice' }
  if (/^(__proto__|constructor|prototype)$/.test(key)) return { code: 'bad_key', message: 'this key has no use here' }
  return textFault(key)
}

function rangeOf(node: unknown): [number, number] | undefined {
  const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined
  return Array.isArray(range) ? [Number(range[0]), Number(range[1])] : undefined
}

/** A path as a map's key: no field's name has a NUL in it. */
const keyOf = (path: readonly PropertyKey[]): string => path.map(String).join('\0')
