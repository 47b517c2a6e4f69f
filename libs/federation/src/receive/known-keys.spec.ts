import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { createSigningKey, type SigningKey } from '#protocol/signing/signing-key';
import type { ServerKeysTold } from '../facts/server-key-facts.js';
import { evolveKnownKeys, type KnownKeys, NO_KEYS, validityOf } from './known-keys.js';
import { readSignedKeys } from './read-key-document.js';

const B = 'b.example' as ServerName;
const NOTARY = 'notary.example' as ServerName;
const KEY = createSigningKey(Buffer.alloc(32, 1), 'a');
const OTHER = createSigningKey(Buffer.alloc(32, 2), 'b');
const text = ({ publicKey }: SigningKey): string => encodeBase64(publicKey);

const document = (changes: JsonObject = {}): JsonObject => ({
  server_name: B,
  valid_until_ts: 1_000,
  verify_keys: { [KEY.keyId]: { key: text(KEY) } },
  old_verify_keys: { [OTHER.keyId]: { key: text(OTHER), expired_ts: 500 } },
  ...changes,
});

describe('a document of keys', () => {
  const read = (one: JsonObject, signer = KEY): unknown => readSignedKeys(signJson(one, B, signer), B);

  it('says which keys there are, and until when', () => {
    expect(read(document())).toEqual({
      validUntilTs: 1_000,
      keys: expect.arrayContaining([
        { keyId: KEY.keyId, publicKey: text(KEY) },
        { keyId: OTHER.keyId, publicKey: text(OTHER), expiredTs: 500 },
      ]) as unknown,
    });
  });

  it('may hold what nobody knows, keys of other algorithms too', () => {
    const keys = { [KEY.keyId]: { key: text(KEY) }, 'curve:1': { key: 'x' }, 'ed25519:': { key: text(KEY) } };
    const one = document({ verify_keys: keys, old_verify_keys: 7, tls_fingerprints: [], 'm.more': { a: [1] } });
    expect(read(one)).toMatchObject({ keys: [{ keyId: KEY.keyId }] });
  });

  it.each([
    ['of another server', document({ server_name: 'c.example' })],
    ['without an end', document({ valid_until_ts: undefined })],
    ['with an end that is no time', document({ valid_until_ts: '1000' })],
    ['without keys', document({ verify_keys: {} })],
    ['with a key of another length', document({ verify_keys: { [KEY.keyId]: { key: 'c2hvcnQ' } } })],
    ['with a key that has no text', document({ verify_keys: { [KEY.keyId]: text(KEY) } })],
    ['too large', document({ more: 'x'.repeat(17_000) })],
    ['with a fraction', document({ more: 0.5 })],
    ['with too many keys', document({ old_verify_keys: manyKeys(101) })],
  ])('does not count: %s', (_, one) => expect(read(one)).toBeTypeOf('string'));

  it('does not count where an old key signed it, another one, or nobody', () => {
    expect(read(document(), OTHER)).toBeTypeOf('string');
    expect(read(document(), createSigningKey(Buffer.alloc(32, 3), 'a'))).toBeTypeOf('string');
    expect(readSignedKeys(document(), B)).toBeTypeOf('string');
    expect(readSignedKeys(signJson(document(), NOTARY, KEY), B)).toBeTypeOf('string');
  });

  it('counts where only one of its keys signed it, and not where another signed it wrongly', () => {
    const both = { [KEY.keyId]: { key: text(KEY) }, [OTHER.keyId]: { key: text(OTHER) } };
    const signed = signJson(document({ verify_keys: both, old_verify_keys: {} }), B, KEY);
    expect(readSignedKeys(signed, B)).toMatchObject({ keys: [{}, {}] });
    const { [B]: own } = signed['signatures'] as Record<string, JsonObject>;
    const wrong = { ...signed, signatures: { [B]: { ...own, [OTHER.keyId]: own![KEY.keyId] } } };
    expect(readSignedKeys(wrong, B)).toBeTypeOf('string');
  });
});

function manyKeys(count: number): JsonObject {
  const key = { key: text(OTHER), expired_ts: 1 };
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`ed25519:k${i}`, key]));
}

describe('what is known of the keys of a server', () => {
  const told = (changes: JsonObject = {}, header: Partial<ServerKeysTold> = {}): ServerKeysTold => ({
    fetched_ts: 0,
    ...header,
    document: document(changes),
  });
  const known = (...all: readonly ServerKeysTold[]): KnownKeys => all.reduce(evolveKnownKeys, NO_KEYS);

  it('is the same object where nothing new was told', () => {
    const once = known(told());
    expect(evolveKnownKeys(once, told())).toBe(once);
    expect(evolveKnownKeys(once, told({ valid_until_ts: 900 }))).toBe(once);
    expect(evolveKnownKeys(once, told({ valid_until_ts: 1_100 }))).not.toBe(once);
  });

  it('keeps of the documents those that tell a key best', () => {
    const later = told({ valid_until_ts: 2_000 });
    expect(known(told(), later).told).toEqual([later]);
    const without = told({ valid_until_ts: 3_000, old_verify_keys: {} });
    expect(known(told(), later, without).told).toEqual([later, without]);
  });

  it('is bounded, however many keys a server makes', () => {
    const all = Array.from({ length: 50 }, (_, i) => told({ old_verify_keys: manyKeys(90), valid_until_ts: i + 1 }));
    const others = all.map(({ document: one }, i) => {
      const keys = Object.entries(one['old_verify_keys'] as JsonObject).map(([id, key]) => [`${id}_${i}`, key]);
      return told({ old_verify_keys: Object.fromEntries(keys) as JsonObject, valid_until_ts: i + 1 });
    });
    const after = known(...others);
    expect([Object.keys(after.keys).length, after.told.length]).toEqual([200, expect.any(Number)]);
    expect(after.told.length).toBeLessThanOrEqual(16);
  });

  it('is not ended by a notary where the server has told it', () => {
    const direct = told({ old_verify_keys: {} });
    const ended = { verify_keys: {}, old_verify_keys: { [KEY.keyId]: { key: text(KEY), expired_ts: 1 } } };
    const byNotary = told(ended, { notary: NOTARY });
    for (const known_ of [known(direct, byNotary), known(byNotary, direct)]) {
      expect(validityOf(known_.keys[KEY.keyId]!)).toEqual({ validUntil: 1_000, isOld: false });
    }
    expect(validityOf(known(byNotary).keys[KEY.keyId]!)).toEqual({ validUntil: 1, isOld: true });
    expect(validityOf(known(direct, told(ended)).keys[KEY.keyId]!)).toEqual({ validUntil: 1, isOld: true });
  });

  it('never becomes less, and does not depend on the order in which a server told it', () => {
    const one = fc.record({
      validUntil: fc.nat({ max: 2_000 }),
      expired: fc.option(fc.nat({ max: 2_000 }), { nil: undefined }),
      notary: fc.option(fc.constant(NOTARY), { nil: undefined }),
      fetched: fc.nat({ max: 10 }),
    });
    const made = fc.array(one, { maxLength: 6 }).map((all) =>
      all.map(({ validUntil, expired, notary, fetched }) => {
        const own = { [KEY.keyId]: { key: text(KEY) } };
        const old = { [KEY.keyId]: { key: text(KEY), expired_ts: expired ?? 0 } };
        const lists = expired === undefined ? { verify_keys: own, old_verify_keys: {} } : { old_verify_keys: old };
        const other = { verify_keys: { [OTHER.keyId]: { key: text(OTHER) } } };
        return told(
          { valid_until_ts: validUntil, ...(expired === undefined ? {} : other), ...lists },
          { fetched_ts: fetched, ...(notary === undefined ? {} : { notary }) },
        );
      }),
    );
    fc.assert(
      fc.property(made, fc.nat(), (all, seed) => {
        const shuffled = all.toSorted((a, b) => ((a.fetched_ts * 7 + seed) % 5) - ((b.fetched_ts * 7 + seed) % 5));
        expect(known(...shuffled).keys).toEqual(known(...all).keys);
        all.reduce((before, next) => {
          const after = evolveKnownKeys(before, next);
          for (const [keyId, key] of Object.entries(before.keys)) {
            const now = after.keys[keyId]!;
            expect(now.public_key).toBe(key.public_key);
            // A server may take back what a notary said; nobody else takes back anything.
            if (key.by_server === undefined && now.by_server !== undefined) continue;
            const [was, is] = [validityOf(key), validityOf(now)];
            if (was.isOld) expect([is.isOld, is.validUntil <= was.validUntil]).toEqual([true, true]);
            else if (!is.isOld) expect(is.validUntil).toBeGreaterThanOrEqual(was.validUntil);
          }
          return after;
        }, NO_KEYS);
      }),
    );
  });
});
