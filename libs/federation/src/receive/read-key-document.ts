import type { ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { encodeBase64 } from '#protocol/signing/base64';
import { listSigningKeyIds, verifyJson } from '#protocol/signing/sign-json';
import { parseVerifyKey } from '#protocol/signing/signing-key';

/** A key of a document. */
export interface PublishedKey {
  readonly keyId: string;
  /** Base64 without padding. */
  readonly publicKey: string;
  /** Of an old key: when it went out of use. */
  readonly expiredTs?: number;
}

/** What a server publishes of its keys (server-server API, "Publishing Keys"): keys of algorithms that we do not know are left out. */
export interface KeyDocument {
  readonly validUntilTs: number;
  readonly keys: readonly PublishedKey[];
}

/** More keys than any server has, and more than those take. As many are kept of each server, and told to whoever asks for them. */
const MOST_KEYS = 100;
const MOST_BYTES = 16_384;
const KEY_ID = /^ed25519:[A-Za-z0-9_]{1,100}$/;

/** What a document says whose signatures hold; a reason where it is none of this server's, or not signed by it. */
export function readSignedKeys(document: JsonObject, server: ServerName): KeyDocument | string {
  if (document['server_name'] !== server) return 'It is of another server';
  if (!isPlain(document)) return 'It is too large, or holds numbers that are no integers';
  const read = readKeys(document);
  return typeof read === 'string' ? read : (findWrongSignature(document, server, read) ?? read);
}

/** What a document says, without a look at its signatures: for those that are kept, whose signatures held. */
export function readKeys(document: JsonObject): KeyDocument | string {
  const validUntilTs = document['valid_until_ts'];
  if (!isTimestamp(validUntilTs)) return 'It does not say until when it is valid';
  const keys = [
    ...readList(document['verify_keys'], (keyId, one) => ({ keyId, publicKey: publicKeyOf(one) })),
    ...readList(document['old_verify_keys'], (keyId, one) => ({
      keyId,
      publicKey: isTimestamp(one['expired_ts']) ? publicKeyOf(one) : undefined,
      expiredTs: one['expired_ts'] as number,
    })),
  ];
  if (keys.length > MOST_KEYS) return `It has more than ${MOST_KEYS} keys`;
  // Of a key id that is in both lists the one in use counts: by it the server signs.
  const all = new Map(keys.toReversed().map((key) => [key.keyId, key]));
  return { validUntilTs, keys: [...all.values()] };
}

/** Signed by one at least of the keys that it says are in use, and by none of them wrongly: undefined where that is so. */
function findWrongSignature(document: JsonObject, server: ServerName, { keys }: KeyDocument): string | undefined {
  let holding = 0;
  for (const keyId of listSigningKeyIds(document, server)) {
    const published = keys.find((key) => key.keyId === keyId && key.expiredTs === undefined);
    const key = published && parseVerifyKey(published.publicKey);
    if (key === undefined) continue;
    if (!verifyJson(document, server, keyId, key)) return `Its signature with ${keyId} does not hold`;
    holding++;
  }
  return holding > 0 ? undefined : 'It is not signed with a key that is in it';
}

function isPlain(document: JsonObject): boolean {
  try {
    return Buffer.byteLength(canonicalJson(document)) <= MOST_BYTES;
  } catch {
    return false;
  }
}

type Read = Omit<PublishedKey, 'publicKey'> & { readonly publicKey: string | undefined };

function readList(list: JsonValue | undefined, read: (keyId: string, one: JsonObject) => Read): PublishedKey[] {
  if (!isJsonObject(list)) return [];
  return Object.entries(list).flatMap(([keyId, one]) => {
    if (!KEY_ID.test(keyId) || !isJsonObject(one)) return [];
    const { publicKey, ...key } = read(keyId, one);
    return publicKey === undefined ? [] : [{ ...key, publicKey }];
  });
}

/** In one spelling; undefined where it is no key. */
function publicKeyOf({ key }: JsonObject): string | undefined {
  const parsed = typeof key === 'string' ? parseVerifyKey(key) : undefined;
  return parsed && encodeBase64(parsed.publicKey);
}

function isTimestamp(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
