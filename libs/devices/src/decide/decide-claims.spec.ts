import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { DeviceKeyFact, NamedPublicKey } from '../facts/device-key-facts.js';
import { decideClaims } from './decide-claims.js';
import { decideUpload, type KeyTime } from './decide-upload.js';
import { countKeys, evolveKeysOfDevice, type KeysOfDevice, NO_KEYS } from './keys-of-device.js';

const NOW: KeyTime = { createdTs: 7, history: '' };
const BOB = '@bob:b' as UserId;
const key = (algorithm: string, id: string): NamedPublicKey => ({ algorithm, key_id: id, key: `${algorithm} ${id}` });
const after = (keys: KeysOfDevice, facts: readonly DeviceKeyFact[]): KeysOfDevice =>
  facts.reduce(evolveKeysOfDevice, keys);
const withKeys = (oneTimeKeys: NamedPublicKey[], fallbackKeys: NamedPublicKey[] = [], time = NOW): KeysOfDevice =>
  after(NO_KEYS, decideUpload(NO_KEYS, { oneTimeKeys, fallbackKeys }, time));
const claim = (keys: KeysOfDevice, algorithms: string[], time = NOW): [(string | undefined)[], KeysOfDevice] => {
  const { facts, given } = decideClaims(
    keys,
    algorithms.map((algorithm) => ({ algorithm, by: BOB })),
    time,
  );
  return [given.map((one) => one?.key_id), after(keys, facts)];
};

describe('a claim', () => {
  it('is given the key that was uploaded first, and no other is', () => {
    let keys = withKeys([key('a', '9'), key('b', '5'), key('a', '1')]);
    keys = after(keys, decideUpload(keys, { oneTimeKeys: [key('a', '0')], fallbackKeys: [] }, NOW));
    const [given, left] = claim(keys, ['a', 'a', 'b', 'a', 'a', 'b', 'c']);
    expect(given).toEqual(['9', '1', '5', '0', undefined, undefined, undefined]);
    expect(countKeys(left, '').counts).toEqual({});
  });

  it('is told with the others that were decided with it, and what is left after them', () => {
    const claims = Array.from({ length: 3 }, () => ({ algorithm: 'a', by: BOB }));
    const { facts } = decideClaims(
      withKeys([key('a', '1'), key('a', '2'), key('b', '3')], [key('a', 'f')]),
      claims,
      NOW,
    );
    expect(facts).toMatchObject([
      {
        data: {
          claims: [{ key_id: '1' }, { key_id: '2' }, { key_id: 'f', fallback: true }],
          after: { counts: { b: 1 }, unused_fallback: [] },
        },
      },
    ]);
  });

  it('is given the fallback key where none is left, which is used from then on and stays', () => {
    const keys = withKeys([key('a', '1')], [key('a', 'f')]);
    const [given, left] = claim(keys, ['a', 'a', 'a']);
    expect(given).toEqual(['1', 'f', 'f']);
    expect(countKeys(keys, '').unused_fallback).toEqual(['a']);
    expect(countKeys(left, '').unused_fallback).toEqual([]);
    expect(decideClaims(left, [{ algorithm: 'a', by: BOB }], NOW).facts).toEqual([]);
    const renewed = after(left, decideUpload(left, { oneTimeKeys: [], fallbackKeys: [key('a', 'g')] }, NOW));
    expect(countKeys(renewed, '').unused_fallback).toEqual(['a']);
    expect(claim(renewed, ['a'])[0]).toEqual(['g']);
  });

  it('is given no key of a device that was made again, nor one of before a restoration of the log', () => {
    const keys = withKeys([key('a', '1')], [key('a', 'f')]);
    expect(claim(keys, ['a'], { ...NOW, createdTs: 8 })[0]).toEqual([undefined]);
    expect(claim(keys, ['a'], { ...NOW, history: 'cafe0000' })[0]).toEqual(['f']);
  });
});
