import { describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { findLocalUserId, newUserId, randomUsername } from './user-ids.js';

const server = 'Example.org' as ServerName;

describe('the user ids of this server', () => {
  it('are made of user names in small letters', () => {
    expect(newUserId('Alice_1.=-/+', server)).toBe('@alice_1.=-/+:Example.org');
    for (const name of ['', 'a b', 'a:b', '@a', 'é', 'a\n', 'İ', '\u212Aevin']) {
      expect(() => newUserId(name, server)).toThrow(expect.objectContaining({ errcode: 'M_INVALID_USERNAME' }));
    }
    expect(() => newUserId('a'.repeat(243), server)).toThrow('too long');
    expect(newUserId('a'.repeat(242), server)).toHaveLength(255);
  });

  it('are found by localpart or whole, in any case of the localpart', () => {
    expect(findLocalUserId('ALICE', server)).toBe('@alice:Example.org');
    expect(findLocalUserId('@Alice:Example.org', server)).toBe('@alice:Example.org');
    expect(findLocalUserId('@alice:elsewhere.org', server)).toBeUndefined();
    expect(findLocalUserId('@alice', server)).toBeUndefined();
    expect(findLocalUserId('\u212Aevin', server)).not.toBe('@kevin:Example.org');
    expect(findLocalUserId('alice:elsewhere.org', server)).toBeUndefined();
  });

  it('can be made up', () => {
    const names = new Set(Array.from({ length: 100 }, randomUsername));
    expect(names.size).toBe(100);
    for (const name of names) expect(newUserId(name, server)).toMatch(/^@u[a-z0-9]{9,12}:/);
  });
});
