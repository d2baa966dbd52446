import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { defineConfig } from 'vitest/config'

/** The tests of the whole system first, which take longest: what is short fills what time is left at the end. */
class WholeFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isWhole = ({ moduleId }: TestSpecification) => moduleId.includes('/deploy/local/test/')
    const sorted = await super.sort(files)
    return [...sorted.filter(isWhole), ...sorted.filter(file => !isWhole(file))]
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
    sequence: { sequencer: WholeFirst },
  },
})
