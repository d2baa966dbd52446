/**
 * Control: JSON requests to one instance on `mr.ctl.<service>.<instance>`, each `{op, ...}`. The reply is
 * `{ok: true, ...}` or `{ok: false, problem: {code, message}}`; nothing that is asked for ends the process.
 */
import type { Problem } from '@millrace/bus'
import { z } from 'zod'
import type { ControlAnswer } from './service.ts'

const request = z.looseObject({ op: z.string() })

/** Makes the answer to any request out of the operations that there are. `failed` hears of an answer that threw. */
export function controlAnswers(
  operations: ReadonlyMap<string, ControlAnswer>,
  failed: (op: string, error: unknown) => void,
): (asked: unknown) => Promise<object> {
  return async asked => {
    const read = request.safeParse(asked)
    if (!read.success) return refusal('bad_request', 'Expected a JSON object with an "op".')
    const { op } = read.data
    const answer = operations.get(op)
    if (answer === undefined) {
      const known = [...operations.keys()].sort().join(', ')
      return refusal('unknown_op', `There is no operation ${JSON.stringify(op.slice(0, 64))} here; there are ${known}.`)
    }
    try {
      const fields = await answer(read.data)
      return { ok: !('problem' in fields), ...fields }
    } catch (error) {
      failed(op, error)
      return refusal('internal', `${op} failed; the log of this instance says why.`)
    }
  }
}

function refusal(code: string, message: string): { ok: false; problem: Problem } {
  return { ok: false, problem: { code, message } }
}
