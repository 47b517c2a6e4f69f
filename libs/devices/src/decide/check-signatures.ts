import { isDeepStrictEqual } from 'node:util';
import type { UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { encodeBase64 } from '#protocol/signing/base64';
import { findSignature, listSigningKeyIds } from '#protocol/signing/sign-json';
import { parseVerifyKey } from '#protocol/signing/signing-key';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import type { KeySignature } from '../facts/cross-signing-facts.js';
import { hashOfSigned } from './cross-signing-keys.js';

/** A key that somebody says to have signed: as it is here, and as they sent it. */
export interface SignedKey {
  readonly userId: UserId;
  /** The device's id, or the master key in base64. */
  readonly target: string;
  readonly known: JsonObject;
  readonly sent: JsonObject;
}

/** The public keys in base64 by which a user may sign something, by the key ids that name them. */
export type SigningKeys = ReadonlyMap<string, string>;

/**
 * The signatures that a user sent of a key, of those by the keys given; others (the ones that were there already, or of keys that may not
 * sign this) are let be. Throws M_INVALID_SIGNATURE where the key is another than the one here, there is no such signature, or one does
 * not hold.
 */
export function checkSignatures(
  { userId, target, known, sent }: SignedKey,
  signer: UserId,
  by: SigningKeys,
): KeySignature[] {
  if (!isDeepStrictEqual(withoutSignatures(known), withoutSignatures(sent))) {
    throw new MatrixError('M_INVALID_SIGNATURE', 'The key is not the one that is here');
  }
  const text = canonicalJson(withoutSignatures(known), { lenient: true });
  const signed = hashOfSigned(known);
  const signatures = listSigningKeyIds(sent, signer).flatMap((keyId): KeySignature[] => {
    const publicKey = by.get(keyId);
    if (publicKey === undefined) return [];
    const signature = findSignature(sent['signatures'], signer, keyId);
    if (signature === undefined || parseVerifyKey(publicKey)?.verify(text, signature) !== true) {
      throw new MatrixError('M_INVALID_SIGNATURE', `The signature by ${keyId} does not hold`);
    }
    return [{ user_id: userId, target, key_id: keyId, signature: encodeBase64(signature), signed }];
  });
  if (signatures.length === 0) {
    throw new MatrixError('M_INVALID_SIGNATURE', 'No signature by a key that may sign this');
  }
  return signatures;
}

/** What signatures of a key cover. */
export function withoutSignatures({ signatures: _signatures, unsigned: _unsigned, ...signed }: JsonObject): JsonObject {
  return signed;
}

/** The key by which a device signs, by its name; none where its keys have none. */
export function signingKeyOfDevice(deviceId: string, deviceKeys: JsonObject): readonly (readonly [string, string])[] {
  const keyId = `ed25519:${deviceId}`;
  const { keys } = deviceKeys;
  const publicKey = isJsonObject(keys) && Object.hasOwn(keys, keyId) ? keys[keyId] : undefined;
  return typeof publicKey === 'string' ? [[keyId, publicKey]] : [];
}
