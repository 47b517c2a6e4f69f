import type { UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { parseVerifyKey } from '#protocol/signing/signing-key';
import type { SentKey } from '../commands/add-signatures.js';
import { type CrossSigningKeys, KEY_USAGES, type KeyUsage } from '../facts/cross-signing-facts.js';
import { parseKeyOwner } from '../parse-wanted.js';
import { refuse } from '../refuse-body.js';
import { checkSignaturesForm, findObject } from './parse-keys.js';

/** So many keys are signed at once at most. */
const MOST = 1_000;
const MAX_KEY_BYTES = 16 * 1024;

/** The keys of POST /keys/device_signing/upload. Throws M_BAD_JSON, also where they are somebody else's. */
export function parseCrossSigningKeys(body: JsonObject, userId: UserId): CrossSigningKeys {
  const keys = KEY_USAGES.flatMap((usage): [KeyUsage, JsonObject][] => {
    const key = findObject(body, `${usage}_key`);
    return key === undefined ? [] : [[usage, parseKey(`${usage}_key`, key, usage, userId)]];
  });
  return Object.fromEntries(keys);
}

function parseKey(path: string, key: JsonObject, usage: KeyUsage, userId: UserId): JsonObject {
  const { unsigned: _unsigned, ...own } = key;
  if (own['user_id'] !== userId) refuse(`${path}.user_id`, 'must be the user who uploads it');
  const { usage: usages, keys, signatures } = own;
  if (!Array.isArray(usages) || !usages.includes(usage)) refuse(`${path}.usage`, `must have ${usage}`);
  const [entry, more] = isJsonObject(keys) ? Object.entries(keys) : [];
  if (entry === undefined || more !== undefined) refuse(`${path}.keys`, 'must be one key');
  const [name, publicKey] = entry;
  if (typeof publicKey !== 'string' || name !== `ed25519:${publicKey}` || parseVerifyKey(publicKey) === undefined) {
    refuse(`${path}.keys`, 'must be an Ed25519 key under its own name');
  }
  if (signatures !== undefined) checkSignaturesForm(`${path}.signatures`, signatures);
  if (Buffer.byteLength(JSON.stringify(own)) > MAX_KEY_BYTES)
    throw new MatrixError('M_TOO_LARGE', `${path}: too large`);
  return own;
}

/** The keys of POST /keys/signatures/upload. Throws M_BAD_JSON, M_INVALID_PARAM. */
export function parseSentKeys(body: JsonObject): SentKey[] {
  const sent = Object.entries(body).flatMap(([userId, keys]) => {
    const owner = parseKeyOwner(userId);
    if (!isJsonObject(keys)) refuse(userId, 'must be an object');
    return Object.entries(keys).map(([target, key]): SentKey => ({
      userId: owner,
      target,
      key: objectAt(target, key),
    }));
  });
  if (sent.length > MOST) refuse('keys', `more than ${MOST}`);
  return sent;
}

function objectAt(path: string, value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : refuse(path.slice(0, 80), 'must be an object');
}
