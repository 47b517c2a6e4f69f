import { isJsonObject, type JsonObject } from '#kernel/json';
import type { RoomEvent } from '../room-event.js';
import { listSigningKeyIds, verifyJson } from '../signing/sign-json.js';
import { parseVerifyKey } from '../signing/signing-key.js';
import type { AuthState } from './auth-state.js';
import type { Refusal } from './refusal.js';

/** Rule 5.4.1 from step 2 on: why an invite by third-party identifier is refused, undefined if it is not. */
export function refuseThirdPartyInvite(event: RoomEvent, target: string, state: AuthState): Refusal {
  const invite = event.content.third_party_invite;
  const signed = isJsonObject(invite) ? invite.signed : undefined;
  if (!isJsonObject(signed)) return 'The third-party invite is not signed';
  const { mxid, token } = signed;
  if (typeof mxid !== 'string' || typeof token !== 'string') return 'The third-party invite lacks mxid or token';
  if (mxid !== target) return 'The third-party invite is for another user';
  const offer = state.get('m.room.third_party_invite', token);
  if (offer === undefined) return 'There is no such third-party invite in the room';
  if (offer.sender !== event.sender) return 'The third-party invite is of another user';
  return isSignedByAny(signed, publicKeysOf(offer.content)) ? undefined : 'The third-party invite is not signed';
}

/** Step 7: the keys in `public_key` and `public_keys`. */
function publicKeysOf({ public_key: single, public_keys: list }: JsonObject): string[] {
  const keys = Array.isArray(list) ? list.map((entry) => (isJsonObject(entry) ? entry.public_key : undefined)) : [];
  return [single, ...keys].filter((key) => typeof key === 'string');
}

/**
 * NOTSPEC: at most so many verifications. Identity servers give one or two keys and one signature; without a bound one event
 * could ask for hundreds of thousands.
 */
const MAX_ATTEMPTS = 64;

/** Keys are named by no id here, so that every signature is tried with every key. */
function isSignedByAny(signed: JsonObject, publicKeys: readonly string[]): boolean {
  const signers = isJsonObject(signed.signatures) ? Object.keys(signed.signatures) : [];
  const names = signers.flatMap((signer) => listSigningKeyIds(signed, signer).map((keyId) => ({ signer, keyId })));
  let attempts = 0;
  for (const publicKey of publicKeys) {
    const key = parseVerifyKey(publicKey);
    for (const { signer, keyId } of names) {
      if (attempts++ >= MAX_ATTEMPTS) return false;
      if (key !== undefined && verifyJson(signed, signer, keyId, key)) return true;
    }
  }
  return false;
}
