import { exposition } from '@millrace/telemetry'
import { expect, test } from 'vitest'
import { newMeasures } from '../src/counts.ts'
import { actorFamilies } from '../src/metrics.ts'
import { sink } from './rig.ts'

test('what an actor holds for, and what its end was found not to do, is a series each', () => {
  const view = (problems: { code: string }[]) =>
    ({ assignment: sink('r', 1), measures: newMeasures(), state: 'holding', problems }) as const
  const labels = 'route="r",lane="0",role="sink"'
  const text = exposition(actorFamilies([view([{ code: 'topic_missing' }, { code: 'no_fence' }])], 'one'))
  expect(text).toContain(`millrace_actor_problem{${labels},code="topic_missing"} 1\n`)
  expect(text).toContain(`millrace_actor_problem{${labels},code="no_fence"} 1\n`)
  expect(exposition(actorFamilies([view([])], 'one'))).not.toContain('millrace_actor_problem')
})
