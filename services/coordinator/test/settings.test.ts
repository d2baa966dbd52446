import { expect, test } from 'vitest'
import { service } from '../src/service.ts'

test('installation a with route b-c and installation a-b with route c do not take sessions from each other', () => {
  const { installation } = service.settings
  // Client ids are `<installation>-<route>-<subscriber>`, so the first hyphen ends the installation.
  expect(installation.safeParse('a-b').success).toBe(false)
  expect(installation.parse('plant2')).toBe('plant2')
})
