/** Single steps of plan(), by example: what the model of plan.test.ts can only stumble upon. */
import type { AssignmentDocument, InstanceDocument } from '@millrace/bus'
import { expect, test } from 'vitest'
import { Epochs, EpochsExhaustedError, termOf } from '../src/epoch.ts'
import { plan, SupersededError } from '../src/plan.ts'
import type { Instance, Revised, Situation } from '../src/situation.ts'
import { wantedActors } from '../src/wanted.ts'

const route = { name: 'r', uid: 'u', version: 1, source: 'mqtt-ingress', sink: 'kafka-egress', retiring: [] }
const sinks = (...lanes: string[]) => wantedActors({ ...route, lanes }).filter(({ actor }) => actor.role === 'sink')
const sink = (lane: string, epoch: number) => ({ ...sinks(lane)[0]?.actor, id: `sink.r.${lane}`, epoch })

function told(revision: number, term: number, ...actors: object[]): Revised<AssignmentDocument> {
  return { revision, document: { term, startId: 's', actors: actors as AssignmentDocument['actors'] } }
}

function live(revision: number, term: number, ...actors: InstanceDocument['actors']): Instance {
  const heartbeat = { startId: 's', beat: 1, version: '1', term, revision, state: 'running' as const, actors }
  return { presence: 'live', heartbeat }
}

function situation(lanes: string[], rows: Record<string, [Instance, Revised<AssignmentDocument>?]>): Situation {
  const keys = Object.keys(rows).map(name => [`kafka-egress.${name}`, rows[name]] as const)
  return {
    wanted: sinks(...lanes),
    instances: new Map(keys.flatMap(([key, row]) => (row === undefined ? [] : [[key, row[0]]]))),
    documents: new Map(keys.flatMap(([key, row]) => (row?.[1] === undefined ? [] : [[key, row[1]]]))),
  }
}

test('an actor is not given away while another instance has not seen its newest document', () => {
  // b was given lane 0 in revision 4, lost it in 5, and has seen neither: it may start the actor any moment.
  const unseen = situation(['0'], { a: [live(2, 1), told(2, 1)], b: [{ ...live(3, 1) }, told(5, 1)] })
  const drained = { ...unseen.instances.get('kafka-egress.b'), presence: 'live' } as Instance
  drained.heartbeat.state = 'draining'
  expect(plan(unseen, new Epochs(1))).toEqual([])
  drained.heartbeat.revision = 5
  expect(plan(unseen, new Epochs(1)).map(({ key }) => key)).toEqual(['kafka-egress.a'])
})

test('an instance that never sees its newest document does not keep lanes from all others for ever', () => {
  // It runs lane 0, as it says; it was told to run lane 1, and has not seen that.
  const report = { id: 'sink.r.0', epoch: 5, version: 1, state: 'running' as const }
  const deaf: Instance = { ...live(2, 1, report), presence: 'deaf' }
  const row = [deaf, told(5, 1, sink('0', 5), sink('1', 6))] as [Instance, Revised<AssignmentDocument>]
  const writes = plan(situation(['0', '1', '2'], { a: [live(3, 1), told(3, 1)], b: row }), new Epochs(1))
  expect(writes.map(({ key, document }) => [key, document.actors.map(({ id }) => id)])).toEqual([
    ['kafka-egress.b', []],
    ['kafka-egress.a', ['sink.r.2']],
  ])
  const emptied = [deaf, told(6, 1)] as [Instance, Revised<AssignmentDocument>]
  const later = plan(situation(['0', '1', '2'], { a: [live(3, 1), told(3, 1)], b: emptied }), new Epochs(1))
  expect(later.flatMap(({ document }) => document.actors.map(({ id }) => id))).toEqual(['sink.r.1', 'sink.r.2'])
})

test('a new leader rewrites every document as it is before it changes anything', () => {
  const old = situation(['0', '1'], { a: [live(2, 1), told(2, 1, sink('0', 5), sink('1', 6))], b: [live(0, 0)] })
  const writes = plan(old, new Epochs(2))
  expect(writes).toEqual([
    { key: 'kafka-egress.a', ...told(2, 2, sink('0', 5), sink('1', 6)) },
    { key: 'kafka-egress.b', ...told(0, 2) },
  ])
})

test('a leader that sees a higher term steps down', () => {
  const newer = situation(['0'], { a: [live(2, 3), told(2, 3)] })
  expect(() => plan(newer, new Epochs(2))).toThrow(SupersededError)
})

test('a lost instance is emptied before its actors are given away', () => {
  const lost: Instance = { ...live(2, 1), presence: 'lost' }
  const writes = plan(
    situation(['0'], { a: [live(3, 1), told(3, 1)], b: [lost, told(2, 1, sink('0', 5))] }),
    new Epochs(1),
  )
  expect(writes.map(({ key, document }) => [key, document.actors.length])).toEqual([
    ['kafka-egress.b', 0],
    ['kafka-egress.a', 1],
  ])
})

test('an actor that was fenced gets a new epoch where it is', () => {
  const problem = { code: 'fenced', message: '' }
  const fenced = { id: 'sink.r.0', epoch: 5, version: 1, state: 'failed' as const, problem }
  const [write] = plan(situation(['0'], { a: [live(2, 1, fenced), told(2, 1, sink('0', 5))] }), new Epochs(1))
  expect(write?.document.actors[0]?.epoch).toBeGreaterThan(2 ** 20)
})

test('a term has 2^20 - 1 epochs, all above those of the terms before it', () => {
  const epochs = new Epochs(3)
  const first = epochs.next()
  expect(termOf(first)).toBe(3)
  let last = first
  for (let count = 2; count < 2 ** 20; count += 1) last = epochs.next()
  expect(termOf(last)).toBe(3)
  expect(() => epochs.next()).toThrow(EpochsExhaustedError)
  expect(new Epochs(4).next()).toBeGreaterThan(last)
})
