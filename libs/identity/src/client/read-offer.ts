import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';
import { decodeBase64 } from '#protocol/signing/base64';
import type { AnyThreepid } from './hash-address.js';
import { hideAddress } from './hide-address.js';

/** What the room is told of somebody who is invited by an address. */
export interface Offer {
  readonly token: string;
  /** Of its `m.room.third_party_invite`. */
  readonly content: JsonObject;
}

const TOKEN = /^[0-9a-zA-Z.=_-]{1,255}$/;
const MOST_NAME = 255;
const MOST_URL = 2048;
/** Identity servers have two. */
const MOST_KEYS = 10;
const KEY_BYTES = 32;
/** Of shorter names any text may have the letters. */
const LEAST_TO_LEAK = 3;

/**
 * What an identity server answers to `POST /store-invite`, as the room is told it: everybody there reads it, so the name that stands for the address is
 * one of ours where that of the identity server tells the address. Throws PeerUnavailable for what is no such answer.
 */
export function readOffer(
  { token, public_keys: list, public_key: single, ...rest }: JsonObject,
  of: AnyThreepid,
): Offer {
  const keys = (Array.isArray(list) ? list : [{ public_key: single ?? null, key_validity_url: null }])
    .slice(0, MOST_KEYS)
    .flatMap(readKey);
  const [first] = keys;
  if (typeof token !== 'string' || !TOKEN.test(token) || first === undefined) {
    throw new PeerUnavailable('The identity server answers no invitation');
  }
  const name = rest['display_name'];
  const isFine = typeof name === 'string' && name.length <= MOST_NAME && !tells(name, of);
  const display_name = isFine ? name : hideAddress(of);
  return { token, content: { display_name, ...first, public_keys: keys } };
}

function readKey(entry: JsonValue): { public_key: string; key_validity_url: string }[] {
  if (!isJsonObject(entry)) return [];
  const { public_key, key_validity_url } = entry;
  if (typeof public_key !== 'string' || decodeBase64(public_key)?.length !== KEY_BYTES) return [];
  if (typeof key_validity_url !== 'string' || key_validity_url.length > MOST_URL) return [];
  return URL.canParse(key_validity_url) ? [{ public_key, key_validity_url }] : [];
}

/** Whether a text has the address in it, or of a mail address what stands before the server. */
function tells(name: string, { medium, address }: AnyThreepid): boolean {
  const text = name.toLowerCase();
  const local = medium === 'email' ? address.slice(0, address.lastIndexOf('@')) : address;
  return text.includes(address.toLowerCase()) || (local.length > LEAST_TO_LEAK && text.includes(local.toLowerCase()));
}
