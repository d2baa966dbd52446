/**
 * The patterns of `matches()`. CEL promises that they take time in proportion to the text; JavaScript's do not, and the
 * text is what a stranger sent. So a pattern is known beforehand, and what makes time grow without bound is refused.
 */
import type { ASTNode } from '@marcbachmann/cel-js'

/** Why a text is no expression, or not one for its place. */
export interface ExpressionFault {
  message: string
  hint?: string | undefined
  /** Where in the text, in UTF-16 units. */
  offset: number
}

/** The first pattern of an expression that can't be used; undefined where there is none. */
export function patternFault(ast: ASTNode): ExpressionFault | undefined {
  for (const call of nodesOf(ast)) {
    if (call.op !== 'rcall' || call.args[0] !== 'matches') continue
    const pattern = call.args[2][0]
    const fault =
      pattern?.op === 'value' && typeof pattern.args === 'string'
        ? patternFaultOf(pattern.args, 'the pattern of matches()')
        : { message: 'the pattern of matches() is written out, as text' }
    if (fault !== undefined) return { ...fault, offset: pattern?.start ?? call.start }
  }
  return undefined
}

/** Every node of an expression, at any depth. */
function* nodesOf(value: unknown): Generator<ASTNode> {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item)
  else if (isNode(value)) {
    yield value
    yield* nodesOf(value.args)
  }
}

const isNode = (value: unknown): value is ASTNode =>
  typeof value === 'object' && value !== null && 'op' in value && 'args' in value

/** Why a pattern can't be used; undefined where it can. `what` it is begins the message. */
export function patternFaultOf(pattern: string, what: string): Omit<ExpressionFault, 'offset'> | undefined {
  try {
    void new RegExp(pattern)
  } catch {
    return { message: `${what} is no regular expression` }
  }
  if (/\(\?(?:[=!]|<[=!])|\\[1-9]|\\k</.test(pattern)) {
    return { message: `${what} looks ahead or back, or repeats a group by its number: that is not known here` }
  }
  if (!repeatsChoices(pattern)) return undefined
  const message = `${what} repeats a group that itself repeats or chooses: it may take for ever`
  return { message, hint: 'write [ab]+ for (a|b)+' }
}

/** Whether a group that has a repetition or a choice in it is repeated without bound. */
function repeatsChoices(pattern: string): boolean {
  const open: boolean[] = []
  const tokens = pattern.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|\(|\)(?:[*+]|\{\d+,\d*\})?|[*+|]|\{\d+,\d*\}/gs)
  for (const [token] of tokens) {
    if (token === '(') open.push(false)
    else if (token.startsWith(')')) {
      const manifold = open.pop() ?? false
      if (manifold && token !== ')') return true
      if ((manifold || token !== ')') && open.length > 0) open[open.length - 1] = true
    } else if (/^[*+|{]/.test(token) && open.length > 0) open[open.length - 1] = true
  }
  return false
}
