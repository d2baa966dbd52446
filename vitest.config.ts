import { defineConfig } from 'vitest/config'

const common = { testTimeout: 60_000, hookTimeout: 120_000, retry: 0 }

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'parts',
          include: ['{libs,services}/*/test/**/*.test.ts', 'cli/test/**/*.test.ts'],
          // Two at a time: each file may run servers of its own, and a laptop has few cores.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...common,
          name: 'whole',
          include: ['deploy/local/test/**/*.test.ts'],
          // One at a time: each runs everything, and hurts it.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
