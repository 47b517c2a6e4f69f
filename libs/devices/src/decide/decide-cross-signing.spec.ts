import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { CryptoUser } from '#testing/crypto-user';
import type { CrossSigningKeys } from '../facts/cross-signing-facts.js';
import { foldCrossSigningFact, NO_CROSS_SIGNING, withKeysSet } from './cross-signing-keys.js';
import { decideCrossSigning } from './decide-cross-signing.js';

const ALICE = '@alice:a.example' as UserId;
const keysOf = (user: CryptoUser): Required<CrossSigningKeys> => {
  const { master_key: master, self_signing_key, user_signing_key } = user.crossSigningKeys();
  return { master, self_signing: self_signing_key, user_signing: user_signing_key };
};
const alice = new CryptoUser(ALICE, 'D');
const now = keysOf(alice);
const devices = new Map([[alice.device.keyId, alice.device.publicKey]]);
const decide = (
  before: CrossSigningKeys,
  keys: CrossSigningKeys,
  isAuthenticated = true,
): ReturnType<typeof decideCrossSigning> =>
  decideCrossSigning(before, { userId: ALICE, keys, devices, isAuthenticated });

describe('an upload of cross-signing keys', () => {
  it('is all that comes with another master key, also what was here and is signed anew', () => {
    const next = new CryptoUser(ALICE, 'D');
    const { user_id, usage, keys } = now.self_signing;
    const self_signing = next.master.sign({ user_id, usage, keys } as JsonObject, ALICE);
    const master = next.masterKey();
    expect(decide(now, { master, self_signing })).toEqual([
      { type: 'cross-signing-keys-set', data: { master, self_signing } },
    ]);
  });

  it('is what is new of it, where the master key stays', () => {
    const { master, self_signing } = now;
    expect(decide({ master, self_signing }, now)).toEqual([
      { type: 'cross-signing-keys-set', data: { user_signing: now.user_signing } },
    ]);
    expect(decide(now, now)).toEqual([]);
  });

  it('needs authentication where there is a master key and anything is new, and not where nothing is', () => {
    expect(decide({}, now, false)).toHaveLength(1);
    expect(decide(now, now, false)).toEqual([]);
    expect(decide({ master: now.master }, now, false)).toBe('needs-authentication');
    expect(decide(now, keysOf(new CryptoUser(ALICE, 'D')), false)).toBe('needs-authentication');
  });

  it('tells with a new master key that devices signed it, and keeps no signature that nobody verified', () => {
    const signed = alice.device.sign(now.master, ALICE);
    const master = new CryptoUser('@bob:a.example', 'B').device.sign(signed, '@bob:a.example');
    const facts = decide({}, { master });
    expect(facts).toEqual([
      { type: 'cross-signing-keys-set', data: { master: now.master } },
      {
        type: 'signatures-added',
        data: { signatures: [expect.objectContaining({ user_id: ALICE, key_id: alice.device.keyId })] },
      },
    ]);
  });

  it('is refused where the master key has not signed it, or there is none', () => {
    const { self_signing } = keysOf(new CryptoUser(ALICE, 'D'));
    expect(() => decide(now, { self_signing })).toThrow('signature');
    expect(() => decide({}, { self_signing })).toThrow('No master signing key');
  });
});

describe('cross-signing keys', () => {
  it('of before go with another master key', () => {
    const { master } = keysOf(new CryptoUser(ALICE, 'D'));
    expect(withKeysSet(now, { master })).toEqual({ master });
    const { user_signing } = now;
    expect(withKeysSet({ master }, { user_signing })).toEqual({ master, user_signing });
  });

  it('are none once the account has ended', () => {
    const fact = (type: string, data: object): never => ({ type, data: JSON.stringify(data) }) as never;
    const set = foldCrossSigningFact(NO_CROSS_SIGNING, fact('cross-signing-keys-set', now));
    expect(set).toEqual(now);
    expect(foldCrossSigningFact(set, fact('displayname-set', {}))).toEqual(now);
    expect(foldCrossSigningFact(set, fact('account-deactivated', {}))).toEqual(NO_CROSS_SIGNING);
  });
});
