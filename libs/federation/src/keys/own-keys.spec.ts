import { describe, expect, it } from 'vitest';
import { acceptKey, type NamedKey, nameLog } from '#event-store/log-identity';
import { encodeBase64 } from '#protocol/signing/base64';
import { verifyJson } from '#protocol/signing/sign-json';
import { createSigningKey, parseVerifyKey, type SigningKey } from '#protocol/signing/signing-key';
import { MemoryEventStore } from '#testing/memory-event-store';
import { TEST_AUTHOR } from '#testing/local-room';
import { OwnKeys } from './own-keys.js';

const { serverName } = TEST_AUTHOR;
const [FIRST, SECOND, THIRD] = [1, 2, 3].map((seed) => createSigningKey(Buffer.alloc(32, seed), `k${seed}`)) as [
  SigningKey,
  SigningKey,
  SigningKey,
];
const named = ({ keyId, publicKey }: SigningKey): NamedKey => ({ key_id: keyId, public_key: encodeBase64(publicKey) });

/** The keys of a server whose log names these, a thousand milliseconds after each other. */
async function keysOf(...all: readonly [SigningKey, ...SigningKey[]]): Promise<OwnKeys> {
  const store = new MemoryEventStore();
  const clock = { time: 0, now: () => clock.time };
  await nameLog(store, clock, serverName, named(all[0]));
  for (const key of all.slice(1)) {
    clock.time += 1_000;
    await acceptKey(store, clock, named(key));
  }
  const keys = new OwnKeys({ serverName }, all.at(-1)!, clock, store);
  await keys.onModuleInit();
  return keys;
}

describe('the keys of this server', () => {
  it('are published with those before, and when these went out of use', async () => {
    const keys = await keysOf(FIRST, SECOND, THIRD);
    const document = keys.document();
    expect(document).toMatchObject({
      server_name: serverName,
      verify_keys: { [THIRD.keyId]: { key: encodeBase64(THIRD.publicKey) } },
      old_verify_keys: {
        [FIRST.keyId]: { expired_ts: 1_000, key: encodeBase64(FIRST.publicKey) },
        [SECOND.keyId]: { expired_ts: 2_000, key: encodeBase64(SECOND.publicKey) },
      },
    });
    expect(Object.keys(document['verify_keys'] as object)).toEqual([THIRD.keyId]);
    expect(verifyJson(document, serverName, THIRD.keyId, parseVerifyKey(THIRD.publicKey)!)).toBe(true);
  });

  it('are good for what comes back of our own, each for its time', async () => {
    const keys = await keysOf(FIRST, SECOND);
    expect(keys.find(SECOND.keyId)).toMatchObject({ validUntil: Infinity, isOld: false });
    expect(keys.find(FIRST.keyId)).toMatchObject({ validUntil: 1_000, isOld: true });
    expect(keys.find(THIRD.keyId)).toBeUndefined();
  });

  it('are in use again where they were put back', async () => {
    const { old_verify_keys: old, verify_keys: inUse } = (await keysOf(FIRST, SECOND, FIRST)).document();
    expect(inUse).toMatchObject({ [FIRST.keyId]: {} });
    expect(old).toEqual({ [SECOND.keyId]: { expired_ts: 2_000, key: encodeBase64(SECOND.publicKey) } });
  });
});
