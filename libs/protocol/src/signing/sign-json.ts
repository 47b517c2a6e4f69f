import { isJsonObject, type JsonObject } from '#kernel/json';
import { canonicalJson } from '../canonical-json/canonical-json.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import type { SigningKey, VerifyKey } from './signing-key.js';

/**
 * The object with a signature added under the name of its signer: specification, appendices, "Signing JSON". Other
 * signatures and `unsigned` stay; neither is covered. Numbers are signed in their own spelling: what an object may hold is
 * for its parser to say. Throws M_BAD_JSON for half a surrogate pair.
 */
export function signJson<T extends JsonObject>(object: T, signer: string, key: SigningKey): T & JsonObject {
  const signature = encodeBase64(key.sign(signedText(object)));
  return { ...object, signatures: addSignature(object['signatures'], signer, key.keyId, signature) };
}

/** Whether an object carries a signature of this signer, with this key id, that holds under this key. */
export function verifyJson(object: JsonObject, signer: string, keyId: string, key: VerifyKey): boolean {
  const signature = findSignature(object['signatures'], signer, keyId);
  return signature !== undefined && key.verify(signedText(object), signature);
}

/** The same, for whoever has many to check (`VerifyKey`). */
export async function verifyJsonAside(
  object: JsonObject,
  signer: string,
  keyId: string,
  key: VerifyKey,
): Promise<boolean> {
  const signature = findSignature(object['signatures'], signer, keyId);
  return signature !== undefined && key.verifyAside(signedText(object), signature);
}

/** The ids of the keys with which a signer signed an object, of the algorithms we know: the keys to look up. */
export function listSigningKeyIds(object: JsonObject, signer: string): string[] {
  const own = ownEntry(object['signatures'], signer);
  return isJsonObject(own) ? Object.keys(own).filter((keyId) => keyId.startsWith('ed25519:')) : [];
}

/** `signatures` with one more in it; anything there that is no object gives way. */
export function addSignature(signatures: unknown, signer: string, keyId: string, signature: string): JsonObject {
  const others = isJsonObject(signatures) ? signatures : {};
  const own = ownEntry(signatures, signer);
  return { ...others, [signer]: { ...(isJsonObject(own) ? own : {}), [keyId]: signature } };
}

/** The bytes of a signer's signature with a key id; undefined where there is none in base64. */
export function findSignature(signatures: unknown, signer: string, keyId: string): Buffer | undefined {
  const text = ownEntry(ownEntry(signatures, signer), keyId);
  return typeof text === 'string' ? decodeBase64(text) : undefined;
}

function ownEntry(object: unknown, key: string): unknown {
  return isJsonObject(object) && Object.hasOwn(object, key) ? object[key] : undefined;
}

/** What a signature covers. */
function signedText(object: JsonObject): string {
  return canonicalJson({ ...object, signatures: undefined, unsigned: undefined }, { lenient: true });
}
