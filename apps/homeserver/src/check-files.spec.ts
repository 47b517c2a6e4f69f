import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { checkFiles } from './check-files.js';

let directory: string;
let nonsense: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'annals-files-'));
  nonsense = join(directory, 'nonsense.pem');
  writeFileSync(nonsense, 'no certificate');
});
afterAll(() => rmSync(directory, { recursive: true }));

const check = (env: Readonly<Record<string, string>>): void =>
  checkFiles(loadConfig({ ANNALS_DATA_DIR: join(directory, 'data'), ...env }));

describe('what settings name', () => {
  it('is well where nothing is named but a data folder that is not there yet, which is not made', () => {
    check({});
    expect(existsSync(join(directory, 'data'))).toBe(false);
  });

  it.each(['ANNALS_TLS_CA', 'ANNALS_APPSERVICES'])('is told by %s where it is not there', (name) => {
    const path = join(directory, 'nowhere');
    expect(() => check({ [name]: path })).toThrow(`${name}: ${path}: ENOENT`);
    expect(() => check({ [name]: directory })).toThrow(`${name}: ${directory}: EISDIR`);
  });

  it('is a folder for the data, not a file', () => {
    expect(() => check({ ANNALS_DATA_DIR: nonsense })).toThrow('ANNALS_DATA_DIR: ');
    expect(() => check({ ANNALS_DATA_DIR: join(nonsense, 'data') })).toThrow('ENOTDIR');
  });

  it('is a certificate with its key', () => {
    expect(() => check({ ANNALS_TLS_CERT: nonsense, ANNALS_TLS_KEY: nonsense })).toThrow(
      `ANNALS_TLS_CERT: ${nonsense} and its key: `,
    );
  });
});
