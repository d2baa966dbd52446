/** CEL compiled to functions, checked for names and types before a record is ever seen. */
import { type ASTNode, Environment, EvaluationError, ParseError, TypeError } from '@marcbachmann/cel-js'
import { nearest } from './nearest.ts'
import { type ExpressionFault, patternFault } from './patterns.ts'
import {
  ExpressionError,
  type ExpressionInput,
  Headers,
  recordFields,
  RecordVariable,
  sourceFields,
  SourceVariable,
  Variables,
} from './variables.ts'

/** What CEL knows here. One for all expressions: making it takes 30 times as long as compiling one. */
const environment = new Environment({ unlistedVariablesAreDyn: false, limits: { maxAstNodes: 1000, maxDepth: 50 } })
  .registerType('Headers', { ctor: Headers })
  .registerType('Record', { ctor: RecordVariable, fields: recordFields })
  .registerType('Source', { ctor: SourceVariable, fields: sourceFields })
  .registerVariable('record', 'Record')
  .registerVariable('source', 'Source')
  .registerOperator('string in Headers', (name: string, headers: Headers) => headers.has(name))

/** An expression that passed its checks. */
export interface Compiled {
  /** Throws `ExpressionError`; nothing else. */
  evaluate(input: ExpressionInput): unknown
  /** The CEL type that it yields; `dyn` where that depends on the record. */
  type: string
  ast: ASTNode
}

/** Compiles an expression, or says what is wrong with it. */
export function compile(text: string): Compiled | ExpressionFault {
  const trap = /\bhas\s*\(\s*record\s*\.\s*headers\b/.exec(text)
  if (trap) {
    const hint = 'write record.headers["name"] != null'
    return { message: 'has() is always true of a header, for an absent one reads as null', hint, offset: trap.index }
  }
  try {
    const parsed = environment.parse(text)
    const checked = parsed.check()
    if (checked.error !== undefined) return faultOf(checked.error)
    const fault = patternFault(parsed.ast)
    if (fault !== undefined) return fault
    return { evaluate: evaluator(parsed), type: checked.type ?? 'dyn', ast: parsed.ast }
  } catch (error) {
    if (error instanceof ParseError) return faultOf(error)
    // Whatever else a parser throws at hostile text (a stack that overflows) is a fault of the text as well.
    return { message: 'not a CEL expression', offset: 0 }
  }
}

/** Why a text can't be a route's filter; undefined where it can. */
export function filterFault(text: string): ExpressionFault | undefined {
  const compiled = compileFilter(text)
  return 'evaluate' in compiled ? undefined : compiled
}

function compileFilter(text: string): Compiled | ExpressionFault {
  const compiled = compile(text)
  if (!('evaluate' in compiled) || compiled.type === 'bool' || compiled.type === 'dyn') return compiled
  return { message: `a filter says true or false; this yields ${compiled.type}`, offset: 0 }
}

/**
 * A route's filter as a function: whether the record passes. Throws an `Error` for a text that `filterFault` refuses.
 * The function throws `ExpressionError`, also where the expression yields anything but true or false.
 */
export function compileExpression(text: string): (input: ExpressionInput) => boolean {
  const compiled = compileFilter(text)
  if (!('evaluate' in compiled)) throw new Error(`filter: ${compiled.message}`)
  return input => {
    const value = compiled.evaluate(input)
    if (typeof value === 'boolean') return value
    throw new ExpressionError('the filter yields neither true nor false')
  }
}

function evaluator(parsed: (variables: Variables) => unknown): (input: ExpressionInput) => unknown {
  const variables = new Variables()
  return input => {
    variables.input = input
    try {
      return parsed(variables)
    } catch (error) {
      if (error instanceof ExpressionError) throw error
      const message = error instanceof EvaluationError ? error.summary : 'the expression failed'
      // Cut: it may quote the record.
      throw new ExpressionError(message.slice(0, 200), { cause: error })
    }
  }
}

const fieldsOf = (name: string, fields: object): string[] => Object.keys(fields).map(field => `${name}.${field}`)
const variableNames = [...fieldsOf('record', recordFields), ...fieldsOf('source', sourceFields)]

function faultOf(error: ParseError | TypeError): ExpressionFault {
  const offset = error.range?.start ?? 0
  const missing = /^(?:Unknown variable|No such key): (.*)$/s.exec(error.summary)?.[1]
  if (missing === undefined) return { message: error.summary, offset }
  const near =
    variableNames.find(known => known.endsWith(`.${missing}`)) ??
    variableNames.find(known => nearest(missing, [known.slice(known.indexOf('.') + 1)]) !== undefined)
  const hint = near === undefined ? `known: ${variableNames.join(', ')}` : `did you mean ${near}?`
  return { message: `unknown variable "${missing.slice(0, 64)}"`, hint, offset }
}
