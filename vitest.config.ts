import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{libs,services}/*/test/**/*.test.ts', '{cli,deploy/local}/test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    retry: 0,
    // Two at a time: each file may run servers of its own, and a laptop has few cores.
    maxWorkers: 2,
  },
})
