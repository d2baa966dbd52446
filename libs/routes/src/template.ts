/** Templates: text with `${...}` in it, each a CEL expression: `"plant-${source.levels[1]}"`. */
import type { ASTNode } from '@marcbachmann/cel-js'
import { type Compiled, compile } from './expression.ts'
import type { ExpressionFault } from './patterns.ts'
import { ExpressionError, type ExpressionInput } from './variables.ts'

/** A piece of a template, and where it begins. */
export type TemplatePart = { is: 'text'; text: string } | { is: 'expression'; text: string; offset: number }

/** Whether a text has `${` in it; without, it stands for itself. */
export const isTemplate = (text: string): boolean => text.includes('${')

/** Takes a template apart; the fault is a `${` that is never closed, or has nothing in it. */
export function templateParts(template: string): TemplatePart[] | ExpressionFault {
  const parts: TemplatePart[] = []
  let from = 0
  for (let open = template.indexOf('${'); open !== -1; open = template.indexOf('${', from)) {
    const close = closingBrace(template, open + 2)
    if (close === -1) return { message: 'this ${ is never closed', hint: 'add }', offset: open }
    const text = template.slice(open + 2, close)
    if (text.trim() === '') return { message: 'there is no expression in this ${}', offset: open }
    if (open > from) parts.push({ is: 'text', text: template.slice(from, open) })
    parts.push({ is: 'expression', text, offset: open + 2 })
    from = close + 1
  }
  if (from < template.length) parts.push({ is: 'text', text: template.slice(from) })
  return parts
}

/** The first thing that is wrong with a template; undefined where nothing is. */
export function templateFault(template: string): ExpressionFault | undefined {
  const parts = templateParts(template)
  if (!Array.isArray(parts)) return parts
  for (const part of parts) {
    if (part.is === 'text') continue
    const compiled = compilePart(part.text)
    if (typeof compiled === 'object') return { ...compiled, offset: part.offset + compiled.offset }
  }
  return undefined
}

/**
 * A template as a function. Throws an `Error` for a text that `templateFault` refuses. The function yields null only
 * where the whole template is one `${...}` that reads null; it throws `ExpressionError`, also for a null amid text.
 */
export function compileTemplate(template: string): (input: ExpressionInput) => string | null {
  const parts = templateParts(template)
  if (!Array.isArray(parts)) throw new Error(`template: ${parts.message}`)
  const pieces = parts.map(part => (part.is === 'text' ? part.text : functionOf(part.text)))
  const [first] = pieces
  if (pieces.length === 1 && typeof first === 'function') return first
  return input => {
    let text = ''
    for (const piece of pieces) text += typeof piece === 'string' ? piece : notNull(piece(input))
    return text
  }
}

type PartFunction = (input: ExpressionInput) => string | null

function functionOf(text: string): PartFunction {
  const part = compilePart(text)
  if (typeof part === 'function') return part
  throw new Error(`template: ${part.message}`)
}

/** What CEL types a template turns into text. */
const textual = new Set(['string', 'int', 'uint', 'double', 'bool', 'dyn', 'google.protobuf.Timestamp'])

function compilePart(text: string): PartFunction | ExpressionFault {
  const compiled = compile(text)
  if (!('evaluate' in compiled)) return compiled
  if (textual.has(compiled.type)) return directPath(compiled.ast) ?? viaCel(compiled)
  return { message: `a template needs text, a number or a boolean; this yields ${compiled.type}`, offset: 0 }
}

/** The part by CEL, whatever it is. */
export function viaCel(compiled: Compiled): PartFunction {
  return input => toText(compiled.evaluate(input))
}

/**
 * The commonest forms without CEL, for they run once a record: `record.key`, `record.value`, `source.topic`,
 * `source.levels[n]`, `record.headers["x"]`. Undefined for every other expression.
 */
export function directPath(ast: ASTNode): PartFunction | undefined {
  if (ast.op === '.') return directField(`${nameOf(ast.args[0])}.${ast.args[1]}`)
  if (ast.op !== '[]' || ast.args[0].op !== '.' || ast.args[1].op !== 'value') return undefined
  const list = `${nameOf(ast.args[0].args[0])}.${ast.args[0].args[1]}`
  const index = ast.args[1].args
  if (list === 'record.headers' && typeof index === 'string') return input => input.header(index)
  if (list === 'source.levels' && typeof index === 'bigint') return input => level(input.topic, Number(index))
  return undefined
}

const nameOf = (ast: ASTNode): string => (ast.op === 'id' ? ast.args : '')

function directField(name: string): PartFunction | undefined {
  switch (name) {
    case 'record.key':
      return input => input.key
    case 'record.value':
      return input => input.value
    case 'source.topic':
      return input => input.topic
    default:
      return undefined
  }
}

function level(topic: string | null, index: number): string {
  let from = topic === null || index < 0 ? -1 : 0
  for (let passed = 0; passed < index && from !== -1; passed++) {
    const slash = topic?.indexOf('/', from) ?? -1
    from = slash === -1 ? -1 : slash + 1
  }
  if (topic === null || from === -1) throw new ExpressionError(`source.levels[${index}]: the topic has fewer levels`)
  const end = topic.indexOf('/', from)
  return end === -1 ? topic.slice(from) : topic.slice(from, end)
}

function toText(value: unknown): string | null {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value instanceof Date) return value.toISOString()
  throw new ExpressionError('a template needs text, a number or a boolean, and got something else')
}

function notNull(text: string | null): string {
  if (text === null) throw new ExpressionError('an expression amid text reads null')
  return text
}

/** The brace that closes an expression that begins here: braces nest, and those in a string do not count. -1: none. */
function closingBrace(template: string, from: number): number {
  const tokens = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{}]/gs
  tokens.lastIndex = from
  let depth = 1
  for (let token = tokens.exec(template); token !== null; token = tokens.exec(template)) {
    if (token[0] === '{') depth += 1
    if (token[0] === '}') depth -= 1
    if (depth === 0) return token.index
  }
  return -1
}
