import { assert, property, string } from 'fast-check'
import { expect, test } from 'vitest'
import { decodeToken, encodeToken, laneOfSubject, laneSubject, positionKey } from '../src/index.ts'

const text = string({ unit: 'grapheme', minLength: 1 })

test('A token decodes to what it was made of, and so no two texts have the same', () => {
  assert(
    property(text, value => {
      expect(decodeToken(encodeToken(value))).toBe(value)
    }),
  )
})

test('A token never has a character that means something in a subject', () => {
  assert(
    property(text, value => {
      expect(encodeToken(value)).toMatch(/^[A-Za-z0-9_=-]+$/)
    }),
  )
})

test('A plain token stays as it is, anything else is written in hexadecimal', () => {
  expect(encodeToken('line-1_A')).toBe('line-1_A')
  expect(encodeToken('a.b*>=é')).toBe('a=2Eb=2A=3E=3D=C3=A9')
  expect(encodeToken('orders.eu/17')).toBe('orders=2Eeu=2F17')
})

test('What encoding never makes is refused', () => {
  for (const token of ['', '=', '=2', '=2e', '=41', 'a.b', '=FF', 'a b']) {
    expect(() => decodeToken(token)).toThrow(RangeError)
  }
  expect(() => encodeToken('')).toThrow(RangeError)
  expect(() => encodeToken('\uD800')).toThrow(RangeError)
})

test('A lane is read back from its subject', () => {
  assert(
    property(text, text, (route, lane) => {
      const name = { service: 'mqtt-ingress', route, lane } as const
      expect(laneOfSubject(laneSubject(name))).toEqual(name)
      expect(laneSubject(name).split('.')).toHaveLength(5)
      expect(positionKey(name).split('.')).toHaveLength(3)
    }),
  )
  expect(() => laneOfSubject('mr.d.nobody.a.b')).toThrow(RangeError)
})
