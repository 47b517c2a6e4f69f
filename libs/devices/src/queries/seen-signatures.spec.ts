import { beforeEach, describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { CryptoUser } from '#testing/crypto-user';
import { MemoryReadModels } from '#testing/memory-read-models';
import { hashOfSigned } from '../decide/cross-signing-keys.js';
import type { CrossSigningKeys } from '../facts/cross-signing-facts.js';
import { KEY_SIGNATURES } from '../projections/cross-signing.projector.js';
import { SeenSignatures } from './seen-signatures.js';

const ALICE = '@alice:a.example' as UserId;
const BOB = '@bob:a.example' as UserId;
const alice = new CryptoUser(ALICE, 'D');
const bob = new CryptoUser(BOB, 'B');
const keysOf = (user: CryptoUser): CrossSigningKeys => {
  const { master_key: master, self_signing_key, user_signing_key } = user.crossSigningKeys();
  return { master, self_signing: self_signing_key, user_signing: user_signing_key };
};
const keys = keysOf(alice);
const device: JsonObject = { keys: { 'ed25519:D': alice.device.publicKey } };

describe('the signatures over somebody’s keys', () => {
  let views: MemoryReadModels;
  beforeEach(() => void (views = new MemoryReadModels()));

  const note = (signer: UserId, target: string, keyId: string, of: JsonObject): Promise<void> => {
    const value = KEY_SIGNATURES.codec.encode({ signature: `by ${keyId}`, signed: hashOfSigned(of) });
    return views.write([{ collection: KEY_SIGNATURES.name, key: [ALICE, signer, target, keyId], value }]);
  };
  /** The names of the keys that signed what somebody is shown. */
  const seenBy = async (reader: UserId, target: string, of: JsonObject, readers = keysOf(bob)): Promise<string[]> => {
    const ofReader = reader === ALICE ? keys : readers;
    const seen = await SeenSignatures.read(views, ALICE, keys, { reader, ofReader });
    const signatures = seen.signed(target, of)['signatures'] as Record<string, object> | undefined;
    return Object.values(signatures ?? {}).flatMap((one) => Object.keys(one));
  };

  it('are shown to everybody where their owner made them, by the key that is theirs now', async () => {
    await note(ALICE, 'D', alice.selfSigning.keyId, device);
    await note(ALICE, 'D', bob.selfSigning.keyId, device);
    for (const reader of [ALICE, BOB]) expect(await seenBy(reader, 'D', device)).toEqual([alice.selfSigning.keyId]);
  });

  it('say nothing of another key under the same name', async () => {
    await note(ALICE, 'D', alice.selfSigning.keyId, device);
    expect(await seenBy(BOB, 'D', { keys: { 'ed25519:D': bob.device.publicKey } })).toEqual([]);
  });

  it('are shown to who made them alone, by the key that is theirs now', async () => {
    const target = alice.master.publicKey;
    await note(BOB, target, bob.userSigning.keyId, keys.master!);
    expect(await seenBy(BOB, target, keys.master!)).toEqual([bob.userSigning.keyId]);
    expect(await seenBy(ALICE, target, keys.master!)).toEqual([]);
    expect(await seenBy('@carol:a.example' as UserId, target, keys.master!)).toEqual([]);
    expect(await seenBy(BOB, target, keys.master!, keysOf(new CryptoUser(BOB, 'B')))).toEqual([]);
    expect(await seenBy(BOB, target, keys.master!, {})).toEqual([]);
  });

  it('of devices over the master key of their owner are shown to everybody', async () => {
    await note(ALICE, alice.master.publicKey, alice.device.keyId, keys.master!);
    expect(await seenBy(BOB, alice.master.publicKey, keys.master!)).toEqual([alice.device.keyId]);
  });

  it('leave the user-signing key to its owner', async () => {
    const shownTo = async (isOwner: boolean): Promise<string[]> => {
      const seen = await SeenSignatures.read(views, ALICE, keys, { reader: BOB, ofReader: {} });
      return Object.keys(seen.shown(isOwner));
    };
    expect(await shownTo(true)).toEqual(['master', 'self_signing', 'user_signing']);
    expect(await shownTo(false)).toEqual(['master', 'self_signing']);
  });
});
