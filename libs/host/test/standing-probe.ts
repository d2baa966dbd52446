/** A standing service for tests: fails once, begins when it is told to, then runs until it is drained. */
import { aborted } from '@millrace/actor'
import { runService, type StandingService } from '@millrace/host'

let runs = 0

const service: StandingService = {
  name: 'coordinator',
  settings: {},
  async run({ log, draining, signal, state, control, metrics, startId, instance, fresh }) {
    runs++
    log.info({ event: 'started' }, 'started')
    if (runs === 1) throw new Error('not yet')
    control('apply', async ({ what }) =>
      what === 'bad' ? { problem: { code: 'invalid', message: 'bad' } } : { what, startId },
    )
    control('throw', () => Promise.reject(new Error('a defect')))
    metrics(() => [
      {
        name: 'millrace_leader',
        help: 'Leads.',
        type: 'gauge',
        series: [{ labels: { instance }, value: fresh() ? 1 : 0 }],
      },
    ])
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    control('begin', async () => {
      begin()
      return {}
    })
    await Promise.race([begun, aborted(draining)])
    state('running')
    await aborted(draining)
    log.info({ event: signal.aborted ? 'aborted' : 'drained' }, 'ends')
  },
}

await runService(service)
