import path from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { defineConfig } from 'vitest/config'

/**
 * A file that runs the whole system, then five that run parts of it, and so on: the former take longest and want most,
 * so that about one of them runs at a time, and all have begun long before the end.
 */
class Mixed extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isWhole = ({ moduleId }: TestSpecification) => moduleId.includes('/deploy/local/test/')
    const parts = sorted.filter(file => !isWhole(file))
    const mixed = sorted.filter(isWhole).flatMap(whole => [whole, ...parts.splice(0, 5)])
    return [...mixed, ...parts]
  }
}

export default defineConfig({
  test: {
    include: ['{libs,services}/*/test/**/*.test.ts', '{cli,deploy/local}/test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    retry: 0,
    // Each runs servers of its own, and waits for them half of its time: three keep two cores busy.
    maxWorkers: 3,
    sequence: { sequencer: Mixed },
    // Tests start services again and again: half of what that costs is compiling them.
    env: { NODE_COMPILE_CACHE: path.join(import.meta.dirname, '.millrace', 'compile-cache') },
  },
})
