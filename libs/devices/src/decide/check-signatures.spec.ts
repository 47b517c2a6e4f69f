import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { CryptoUser, NamedKey } from '#testing/crypto-user';
import { checkSignatures, type SigningKeys } from './check-signatures.js';

const ALICE = '@alice:a.example' as UserId;
const alice = new CryptoUser(ALICE, 'D');
const known = alice.deviceKeys();
const by: SigningKeys = new Map([[alice.selfSigning.keyId, alice.selfSigning.publicKey]]);

/** The names of the keys by which it counts as signed, or why it does not. */
const check = (sent: JsonObject): unknown => {
  try {
    return checkSignatures({ userId: ALICE, target: 'D', known, sent }, ALICE, by).map(({ key_id: keyId }) => keyId);
  } catch (error) {
    if (error instanceof MatrixError) return error.errcode;
    throw error;
  }
};

describe('signatures of a key', () => {
  const signed = alice.selfSigning.sign(known, ALICE);

  it('count by the keys that may sign it, beside others, and whatever is unsigned', () => {
    expect(check(signed)).toEqual([alice.selfSigning.keyId]);
    expect(check({ ...signed, unsigned: { device_display_name: 'x' } })).toEqual([alice.selfSigning.keyId]);
  });

  it('are refused where there is none by such a key', () => {
    expect(check(known)).toBe('M_INVALID_SIGNATURE');
    expect(check(new NamedKey().sign(known, ALICE))).toBe('M_INVALID_SIGNATURE');
    expect(check(alice.selfSigning.sign(known, '@bob:a.example'))).toBe('M_INVALID_SIGNATURE');
  });

  it('are refused where they do not hold, or are of another key than the one that is here', () => {
    const { signatures } = alice.selfSigning.sign({ ...known, algorithms: [] }, ALICE);
    expect(check({ ...known, signatures: signatures! })).toBe('M_INVALID_SIGNATURE');
    // What is here was signed, and something else is sent with that.
    expect(check({ ...signed, algorithms: [] })).toBe('M_INVALID_SIGNATURE');
  });
});
