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
  return findInviteKey(signed, offer.content) === undefined ? 'The third-party invite is not signed' : undefined;
}

/** A key with which an invite by third-party identifier may be signed, and where it says that it can be asked whether it holds still. */
export interface InviteKey {
  readonly publicKey: string;
  /** Absent where the key holds for ever. */
  readonly validityUrl?: string;
}

/** Step 7: the keys in `public_key` and `public_keys`. */
function keysOf({ public_key: single, key_validity_url: url, public_keys: list }: JsonObject): InviteKey[] {
  const others = Array.isArray(list) ? list.filter(isJsonObject) : [];
  return [{ public_key: single, key_validity_url: url }, ...others].flatMap((entry) => {
    const { public_key: publicKey, key_validity_url: validityUrl } = entry;
    if (typeof publicKey !== 'string') return [];
    return [{ publicKey, ...(typeof validityUrl === 'string' ? { validityUrl } : {}) }];
  });
}

/**
 * NOTSPEC: at most so many verifications. Identity servers give one or two keys and one signature; without a bound one event
 * could ask for hundreds of thousands.
 */
const MAX_ATTEMPTS = 64;

/**
 * With which of the keys in the content of an `m.room.third_party_invite` something is signed; undefined where it is with none. Keys are named by no id
 * here, so that every signature is tried with every key.
 */
export function findInviteKey(signed: JsonObject, offer: JsonObject): InviteKey | undefined {
  const signers = isJsonObject(signed.signatures) ? Object.keys(signed.signatures) : [];
  const names = signers.flatMap((signer) => listSigningKeyIds(signed, signer).map((keyId) => ({ signer, keyId })));
  let attempts = 0;
  for (const inviteKey of keysOf(offer)) {
    const key = parseVerifyKey(inviteKey.publicKey);
    for (const { signer, keyId } of names) {
      if (attempts++ >= MAX_ATTEMPTS) return undefined;
      if (key !== undefined && verifyJson(signed, signer, keyId, key)) return inviteKey;
    }
  }
  return undefined;
}
