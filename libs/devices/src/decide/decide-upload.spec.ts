import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { shortHash } from '#kernel/short-hash';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import type { DeviceKeyFact, NamedPublicKey } from '../facts/device-key-facts.js';
import { decideUpload, type KeyTime, type KeyUpload } from './decide-upload.js';
import { countKeys, decideEnd, evolveKeysOfDevice, type KeysOfDevice, NO_KEYS } from './keys-of-device.js';
import { sumUp } from './sum-up.js';

const NOW: KeyTime = { createdTs: 7, history: '' };
const key = (id: string, text = `key ${id}`, algorithm = 'signed_curve25519'): NamedPublicKey => ({
  algorithm,
  key_id: id,
  key: { key: text, signatures: {} },
});
const identity = (ed25519: string, more: object = {}): KeyUpload['deviceKeys'] => ({
  user_id: '@a:a',
  keys: { 'ed25519:D': ed25519 },
  ...more,
});
const after = (keys: KeysOfDevice, facts: readonly DeviceKeyFact[]): KeysOfDevice =>
  facts.reduce(evolveKeysOfDevice, keys);
const upload = (keys: KeysOfDevice, what: Partial<KeyUpload>, time = NOW): DeviceKeyFact[] =>
  decideUpload(keys, { oneTimeKeys: [], fallbackKeys: [], ...what }, time);
const uploaded = (keys: KeysOfDevice, what: Partial<KeyUpload>, time = NOW): KeysOfDevice =>
  after(keys, upload(keys, what, time));
const afterOf = ({ data }: DeviceKeyFact): unknown => 'after' in data && data.after;
const errcodeOf = (decide: () => unknown): string => {
  try {
    decide();
  } catch (error) {
    if (error instanceof MatrixError) return error.errcode;
  }
  return 'no refusal';
};

describe('an upload of keys', () => {
  it('says what is new, and what is here after it', () => {
    const facts = upload(NO_KEYS, {
      deviceKeys: identity('E'),
      oneTimeKeys: [key('1'), key('2'), key('3', 'plain', 'curve25519')],
      fallbackKeys: [key('f')],
    });
    expect(facts.map(({ type }) => type)).toEqual(['device-keys-set', 'one-time-keys-added', 'fallback-keys-set']);
    expect(facts.map(afterOf)).toEqual([
      { counts: {}, unused_fallback: [], history: '' },
      {
        counts: { signed_curve25519: 2, curve25519: 1 },
        unused_fallback: [],
        history: '',
      },
      {
        counts: { signed_curve25519: 2, curve25519: 1 },
        unused_fallback: ['signed_curve25519'],
        history: '',
      },
    ]);
  });

  it('says nothing when it comes again, whole or in part', () => {
    const what = {
      deviceKeys: identity('E'),
      oneTimeKeys: [key('1'), key('2')],
      fallbackKeys: [key('f')],
    };
    const keys = uploaded(NO_KEYS, what);
    expect(upload(keys, what)).toEqual([]);
    const more = upload(keys, { oneTimeKeys: [key('2'), key('3')] });
    expect(more).toMatchObject([{ type: 'one-time-keys-added', data: { keys: [{ key_id: '3' }] } }]);
  });

  it('says nothing when a key comes again that was signed anew meanwhile', () => {
    const signedAnew = {
      ...key('1'),
      key: { key: 'key 1', signatures: { '@a:a': { 'ed25519:D': 'another' } } },
    };
    const keys = uploaded(NO_KEYS, { oneTimeKeys: [key('1')] });
    expect(upload(keys, { oneTimeKeys: [signedAnew] })).toEqual([]);
    const claims = [{ algorithm: 'signed_curve25519', key_id: '1', by: '@b:a' as UserId }];
    const data = {
      claims,
      created_ts: NOW.createdTs,
      after: countKeys(keys, ''),
    };
    const claimed = after(keys, [{ type: 'one-time-keys-claimed', data }]);
    expect(upload(claimed, { oneTimeKeys: [signedAnew] })).toEqual([]);
    expect(errcodeOf(() => upload(claimed, { oneTimeKeys: [key('1', 'other')] }))).toBe('M_INVALID_PARAM');
  });

  it('says nothing when a key comes again whose hash is in facts of before signatures were left out of it', () => {
    const [{ key: claimed }, name] = [key('1'), 'signed_curve25519:1'];
    const keys = {
      ...NO_KEYS,
      createdTs: NOW.createdTs,
      claimed: new Map([[name, shortHash(canonicalJson(claimed))]]),
    };
    expect(upload(keys, { oneTimeKeys: [key('1')] })).toEqual([]);
    expect(errcodeOf(() => upload(keys, { oneTimeKeys: [key('1', 'other')] }))).toBe('M_INVALID_PARAM');
  });

  it('is refused whole where another key has the name of one that is here', () => {
    const keys = uploaded(NO_KEYS, { oneTimeKeys: [key('1')] });
    expect(errcodeOf(() => upload(keys, { oneTimeKeys: [key('2'), key('1', 'other')] }))).toBe('M_INVALID_PARAM');
    expect(upload(keys, { oneTimeKeys: [key('1', 'other', 'curve25519')] })).toHaveLength(1);
  });

  it('does not publish a key again that was claimed, and no other under its name', () => {
    const before = uploaded(NO_KEYS, { oneTimeKeys: [key('1'), key('2')] });
    const claimed = {
      algorithm: 'signed_curve25519',
      key_id: '1',
      by: '@b:b' as never,
    };
    const keys = evolveKeysOfDevice(before, {
      type: 'one-time-keys-claimed',
      data: { claims: [claimed], created_ts: 7, after: countKeys(before, '') },
    });
    expect(countKeys(keys, '').counts).toEqual({ signed_curve25519: 1 });
    expect(upload(keys, { oneTimeKeys: [key('1'), key('2')] })).toEqual([]);
    expect(errcodeOf(() => upload(keys, { oneTimeKeys: [key('1', 'other')] }))).toBe('M_INVALID_PARAM');
  });

  it('takes away what another identity signed, and keeps it where only signatures are new', () => {
    const keys = uploaded(NO_KEYS, {
      deviceKeys: identity('E'),
      oneTimeKeys: [key('1')],
      fallbackKeys: [key('f')],
    });
    const signed = uploaded(keys, {
      deviceKeys: identity('E', { signatures: { a: {} } }),
    });
    expect(countKeys(signed, '')).toEqual(countKeys(keys, ''));
    const other = upload(keys, {
      deviceKeys: identity('F'),
      oneTimeKeys: [key('1', 'of F')],
    });
    expect(other.slice(0, 1).map(afterOf)).toEqual([{ counts: {}, unused_fallback: [], history: '' }]);
    expect(countKeys(after(keys, other), '').counts).toEqual({
      signed_curve25519: 1,
    });
  });

  it('begins anew for a device that was made again', () => {
    const keys = uploaded(NO_KEYS, {
      deviceKeys: identity('E'),
      oneTimeKeys: [key('1')],
    });
    const again = uploaded(keys, { oneTimeKeys: [key('1', 'other')] }, { ...NOW, createdTs: 8 });
    expect(again.deviceKeys).toBeUndefined();
    expect(countKeys(again, '').counts).toEqual({ signed_curve25519: 1 });
  });

  it('counts nothing from before a restoration of the log, and takes none of it again', () => {
    const keys = uploaded(NO_KEYS, {
      oneTimeKeys: [key('1')],
      fallbackKeys: [key('f')],
    });
    const restored = { ...NOW, history: 'cafe0000' };
    expect(countKeys(keys, 'cafe0000')).toEqual({
      counts: {},
      unused_fallback: ['signed_curve25519'],
      history: 'cafe0000',
    });
    const facts = upload(keys, { oneTimeKeys: [key('1'), key('2')] }, restored);
    expect(facts).toMatchObject([
      {
        data: {
          keys: [{ key_id: '2' }],
          after: { counts: { signed_curve25519: 1 } },
        },
      },
    ]);
    const summed = evolveKeysOfDevice(keys, sumUp(after(keys, facts), 'cafe0000'));
    expect(countKeys(summed, 'cafe0000').counts).toEqual({
      signed_curve25519: 1,
    });
    expect(upload(summed, { oneTimeKeys: [key('1')] }, restored)).toEqual([]);
  });

  it('knows the last five hundred keys again that were claimed', () => {
    const many = Array.from({ length: 501 }, (_, n) => key(`k${n}`, 'x'));
    const keys = uploaded(NO_KEYS, { oneTimeKeys: many });
    const claims = many.map(({ algorithm, key_id }) => ({ algorithm, key_id, by: '@b:b' as UserId }));
    const data = { claims, created_ts: 7, after: countKeys(NO_KEYS, '') };
    const claimed = after(keys, [{ type: 'one-time-keys-claimed', data }]);
    expect(upload(claimed, { oneTimeKeys: [many[1]!] })).toEqual([]);
    expect(upload(claimed, { oneTimeKeys: [many[0]!] })).toHaveLength(1);
  });

  it('is refused beyond what is kept of one device', () => {
    const many = Array.from({ length: 400 }, (_, n) => key(`k${n}`, 'x'.repeat(300)));
    expect(errcodeOf(() => upload(NO_KEYS, { oneTimeKeys: many }))).toBe('M_TOO_LARGE');
    expect(uploaded(NO_KEYS, { oneTimeKeys: many.slice(0, 200) }).oneTimeKeys.size).toBe(200);
  });

  it('ends with the device that was removed, and not where that was made again since', () => {
    const isBefore8 = (madeAt: number): boolean => madeAt < 8;
    const keys = uploaded(NO_KEYS, {
      deviceKeys: identity('E'),
      oneTimeKeys: [key('1')],
    });
    expect(after(keys, decideEnd(keys, isBefore8))).toEqual(NO_KEYS);
    expect(decideEnd(NO_KEYS, isBefore8)).toEqual([]);
    const again = uploaded(keys, { oneTimeKeys: [key('2')] }, { ...NOW, createdTs: 9 });
    expect(decideEnd(again, isBefore8)).toEqual([]);
  });

  it('is all said again in one fact', () => {
    const what = {
      deviceKeys: identity('E'),
      oneTimeKeys: [key('1'), key('2')],
      fallbackKeys: [key('f')],
    };
    const keys = uploaded(NO_KEYS, what);
    expect(evolveKeysOfDevice(NO_KEYS, sumUp(keys, ''))).toEqual({
      ...keys,
      facts: 0,
    });
  });
});
