import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { withKeysSet } from '../decide/cross-signing-keys.js';
import type { CrossSigningFact, CrossSigningKeys } from '../facts/cross-signing-facts.js';
import { devicesRemovedBy } from '../facts/device-streams.js';

/** A signature, and a hash of what it covers: of another key under the same name it says nothing. */
export interface KeySignatureRow {
  readonly signature: string;
  readonly signed: string;
}

export const CROSS_SIGNING_KEYS = new Collection<readonly [userId: UserId], CrossSigningKeys>('cross-signing-keys', {
  key: ['user'],
  says: 'their master, self-signing and user-signing key',
  codec: {
    // One order of keys, whatever happened before: rebuilt rows are compared as text.
    encode: ({ master, self_signing, user_signing }) => JSON.stringify({ master, self_signing, user_signing }),
    decode: asJson<CrossSigningKeys>().decode,
  },
});

export const KEY_SIGNATURES = new Collection<
  readonly [userId: UserId, signer: UserId, target: string, keyId: string],
  KeySignatureRow
>('key-signatures', {
  key: ['user whose key was signed', 'signer', 'device or master key', 'id of the key that signed'],
  says: 'the signature, a hash of what it covers',
  codec: asJson(),
});

const TYPES: ReadonlySet<string> = new Set<CrossSigningFact['type'] | 'devices-removed' | 'account-deactivated'>([
  'cross-signing-keys-set',
  'signatures-added',
  'devices-removed',
  'account-deactivated',
]);

/** With which keys users sign, and what they signed. */
export const crossSigningProjector: Projector = {
  name: 'cross-signing',
  version: 1,
  ...owning(CROSS_SIGNING_KEYS, KEY_SIGNATURES),
  handles: (type) => TYPES.has(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  if (fact.type === 'account-deactivated') {
    CROSS_SIGNING_KEYS.delete(rows, [userId]);
    return deleteOwn(rows, userId, () => true);
  }
  if (fact.type === 'devices-removed') {
    const ids = new Set<string>(devicesRemovedBy(fact).map(([, deviceId]) => deviceId));
    return deleteOwn(rows, userId, (target, keyId) => ids.has(target) || ids.has(keyId.slice('ed25519:'.length)));
  }
  // Only this library writes these types: their data has the shape that CrossSigningFacts gives.
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as CrossSigningFact;
  if (type === 'cross-signing-keys-set') {
    const before = (await CROSS_SIGNING_KEYS.get(rows, [userId])) ?? {};
    return CROSS_SIGNING_KEYS.put(rows, [userId], withKeysSet(before, data));
  }
  for (const { user_id: of, target, key_id: keyId, signature, signed } of data.signatures) {
    KEY_SIGNATURES.put(rows, [of, userId, target, keyId], { signature, signed });
  }
}

/** Takes away signatures of a user over their own keys. */
async function deleteOwn(
  rows: OwnRows,
  userId: UserId,
  which: (target: string, keyId: string) => boolean,
): Promise<void> {
  for await (const page of KEY_SIGNATURES.pages(rows, { prefix: [userId, userId] })) {
    for (const { key } of page) if (which(key[2], key[3])) KEY_SIGNATURES.delete(rows, key);
  }
}
