import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

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
    setupFiles: ['reflect-metadata'],
    // What tests print is shown where they fail.
    silent: 'passed-only',
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
