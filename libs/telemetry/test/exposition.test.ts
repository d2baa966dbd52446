import { expect, test } from 'vitest'
import { exposition, type Family, Histogram } from '../src/index.ts'

test('counters and gauges are written with their help, type and labels', () => {
  const families: Family[] = [
    {
      name: 'millrace_records_in_total',
      help: 'Records read',
      type: 'counter',
      series: [
        { labels: { route: 'r', lane: '0' }, value: 3 },
        { labels: { route: 'r', lane: '1' }, value: 1e21 },
      ],
    },
    { name: 'up', help: 'Is it', type: 'gauge', series: [{ labels: {}, value: -1.5 }] },
  ]
  expect(exposition(families)).toBe(
    [
      '# HELP millrace_records_in_total Records read',
      '# TYPE millrace_records_in_total counter',
      'millrace_records_in_total{route="r",lane="0"} 3',
      'millrace_records_in_total{route="r",lane="1"} 1e+21',
      '# HELP up Is it',
      '# TYPE up gauge',
      'up -1.5',
      '',
    ].join('\n'),
  )
})

test('a label can neither end its line nor its quotes', () => {
  const series = [{ labels: { route: 'a"} 1\n\\b' }, value: 0 }]
  expect(exposition([{ name: 'x', help: 'a\nb\\', type: 'gauge', series }])).toBe(
    '# HELP x a\\nb\\\\\n# TYPE x gauge\nx{route="a\\"} 1\\n\\\\b"} 0\n',
  )
})

test('what has no series is left out', () => {
  expect(exposition([{ name: 'x', help: 'x', type: 'gauge', series: [] }])).toBe('')
})

test('a histogram counts each value once, and is cumulative when written', () => {
  const histogram = new Histogram([0.1, 1])
  histogram.observe(0.1)
  histogram.observe(0.5, 2)
  histogram.observe(7)
  expect([...histogram.counts]).toEqual([1, 2, 1])
  expect(
    exposition([{ name: 'h', help: 'h', type: 'histogram', series: [{ labels: { a: 'b' }, value: histogram }] }]),
  ).toBe(
    [
      '# HELP h h',
      '# TYPE h histogram',
      'h_bucket{a="b",le="0.1"} 1',
      'h_bucket{a="b",le="1"} 3',
      'h_bucket{a="b",le="+Inf"} 4',
      'h_sum{a="b"} 8.1',
      'h_count{a="b"} 4',
      '',
    ].join('\n'),
  )
})

test('a value that is no number is counted, above all bounds', () => {
  const histogram = new Histogram([1])
  histogram.observe(NaN)
  expect([...histogram.counts]).toEqual([0, 1])
})
