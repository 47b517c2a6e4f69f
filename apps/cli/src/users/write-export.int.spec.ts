import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ExportedPart } from '#homeserver/export-methods';
import { writeExport } from './write-export.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'annals-export-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const file = (path: string, ...texts: readonly string[]): ExportedPart[] => [
  { path, bytes: texts.join('').length },
  ...texts.map((text) => ({ base64: Buffer.from(text).toString('base64') })),
];
async function* partsOf(...parts: readonly ExportedPart[]): AsyncGenerator<ExportedPart> {
  yield* parts;
}

it('writes files that their owner alone may read, into a folder that nobody else may look into', async () => {
  const folder = join(directory, 'alice');
  const seen: string[] = [];
  const parts = partsOf(...file('json/a.json', '{', '}'), ...file('index.html', 'hello'), ...file('empty'));
  expect(await writeExport(folder, parts, (path) => seen.push(path))).toEqual({ files: 3, bytes: 7 });
  expect(seen).toEqual(['json/a.json', 'index.html', 'empty']);
  expect(readFileSync(join(folder, 'json/a.json'), 'utf8')).toBe('{}');
  expect(readFileSync(join(folder, 'empty'), 'utf8')).toBe('');
  const modes = ['', 'json', 'index.html'].map((path) => statSync(join(folder, path)).mode & 0o777);
  expect(modes).toEqual([0o700, 0o700, 0o600]);
});

it('writes over nothing', async () => {
  await expect(writeExport(directory, partsOf(...file('a', 'x')), () => undefined)).rejects.toThrow('is there already');
  expect(existsSync(join(directory, 'a'))).toBe(false);
});

it('leaves nothing where it does not come to its end, or is told of a file outside of the folder', async () => {
  const folder = join(directory, 'alice');
  const broken = async function* (): AsyncGenerator<ExportedPart> {
    yield* file('a', 'x');
    throw new Error('the server has ended');
  };
  await expect(writeExport(folder, broken(), () => undefined)).rejects.toThrow('the server has ended');
  expect(existsSync(folder)).toBe(false);
  for (const path of ['../b', 'a/../../b', '.'])
    await expect(writeExport(folder, partsOf(...file(path, 'x')), () => undefined)).rejects.toThrow(
      'outside of the folder',
    );
  expect(existsSync(folder)).toBe(false);
  expect(existsSync(join(directory, 'b'))).toBe(false);
});
