import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SOFTWARE } from './software.js';

test('what the server says of itself is what its package says', () => {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const { name, version } = JSON.parse(text) as { name: string; version: string };
  expect({ name: SOFTWARE.name.toLowerCase(), version: SOFTWARE.version }).toEqual({ name, version });
});
