import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { draftSigningKey, findSigningKey, keepSigningKey } from './signing-key-file.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'annals-keys-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('the signing key', () => {
  it('is drafted once, then kept, and the same ever after', () => {
    const first = draftSigningKey(directory);
    expect(draftSigningKey(directory).publicKey).toEqual(first.publicKey);
    expect(findSigningKey(directory)?.publicKey).toEqual(first.publicKey);
    keepSigningKey(directory);
    keepSigningKey(directory);
    const kept = findSigningKey(directory);
    expect(kept?.keyId).toBe(first.keyId);
    expect(kept?.publicKey).toEqual(first.publicKey);
  });

  it('can only be read by its owner, and leaves nothing else behind', () => {
    draftSigningKey(directory);
    keepSigningKey(directory);
    expect(readdirSync(directory)).toEqual(['signing.key']);
    expect(statSync(join(directory, 'signing.key')).mode & 0o777).toBe(0o600);
  });

  it('is never replaced by a draft', () => {
    draftSigningKey(directory);
    keepSigningKey(directory);
    const kept = readFileSync(join(directory, 'signing.key'), 'utf8');
    draftSigningKey(directory);
    keepSigningKey(directory);
    expect(readFileSync(join(directory, 'signing.key'), 'utf8')).toBe(kept);
  });

  it('is not guessed: a file that holds none is named', () => {
    const path = join(directory, 'signing.key');
    writeFileSync(path, 'no key at all');
    expect(() => findSigningKey(directory)).toThrow(path);
    expect(readFileSync(path, 'utf8')).toBe('no key at all');
  });
});
