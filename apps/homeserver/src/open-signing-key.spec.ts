import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSigningKey } from './open-signing-key.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'annals-keys-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('the signing key', () => {
  it('is made at the first start and the same ever after', () => {
    const first = openSigningKey(directory);
    const second = openSigningKey(directory);
    expect(second.keyId).toBe(first.keyId);
    expect(second.publicKey).toEqual(first.publicKey);
  });

  it('can only be read by its owner, and leaves nothing else behind', () => {
    openSigningKey(directory);
    expect(readdirSync(directory)).toEqual(['signing.key']);
    expect(statSync(join(directory, 'signing.key')).mode & 0o777).toBe(0o600);
  });

  it('is never replaced: a file that holds none ends the start and is named', () => {
    const path = join(directory, 'signing.key');
    writeFileSync(path, 'no key at all');
    expect(() => openSigningKey(directory)).toThrow(path);
    expect(readFileSync(path, 'utf8')).toBe('no key at all');
  });
});
