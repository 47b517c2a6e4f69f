import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);
const page = readFileSync(new URL('docs/coverage.md', ROOT), 'utf8');
const api = readFileSync(new URL('docs/api.md', ROOT), 'utf8');

const named = (pattern: RegExp): string[] => [...page.matchAll(pattern)].map(([, name]) => name!);

test('docs/coverage.md names only files that are there', () => {
  const files = named(/`((?:apps|libs|test)\/[^`]+)`/g);
  expect(files.length).toBeGreaterThan(100);
  expect(files.filter((file) => !existsSync(new URL(file, ROOT)))).toEqual([]);
});

test('docs/coverage.md names only paths that the server serves', () => {
  const paths = named(/`(\/[^`]+)`/g);
  expect(paths.length).toBeGreaterThan(10);
  expect(paths.filter((path) => !api.includes(`\`${path}\``))).toEqual([]);
});
