import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const root = fileURLToPath(new URL('.', import.meta.url));

/** What waits for processes and databases comes first: the last of them would go on alone for minutes. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => /\.int\.spec\.ts$|\/test\/[^/]*$/.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  resolve: {
    // The sources stand in for what package.json's "imports" names after a build.
    alias: [
      { find: /^#(homeserver|cli)\/(.*)$/, replacement: `${root}apps/$1/src/$2.ts` },
      { find: /^#([a-z-]+)\/(.*)$/, replacement: `${root}libs/$1/src/$2.ts` },
    ],
  },
  test: {
    include: ['libs/**/*.spec.ts', 'apps/**/*.spec.ts', 'test/**/*.spec.ts'],
    // Each process loads the sources once, and not again for every file: that took half of the time. No file mocks a module.
    isolate: false,
    // Servers come and go by the hundred in each: a tenth of the processor's time went into picking up after them.
    execArgv: ['--max-semi-space-size=64'],
    // Three also where there are two cores: many tests wait for other processes, half of their time.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    sequence: { sequencer: LongFirst },
    // How fast a busy machine is, is no subject of a test.
    expect: { poll: { timeout: 60_000 } },
    setupFiles: [
      'reflect-metadata',
      ...['as-long-as-said', 'leave-nothing'].map((name) => `${root}libs/testing/src/${name}.ts`),
    ],
    // What tests print is shown where they fail.
    silent: 'passed-only',
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
