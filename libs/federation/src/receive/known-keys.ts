import { isDeepStrictEqual } from 'node:util';
import type { ServerKeysTold } from '../facts/server-key-facts.js';
import { type PublishedKey, readKeys } from './read-key-document.js';

/** A key of another server as far as this one knows it. */
export interface KnownKey {
  /** Base64 without padding. */
  readonly public_key: string;
  /** As of the rooms' `ServerKey`. */
  readonly valid_until: number;
  readonly is_old?: true;
  /** Only notaries have told it. */
  readonly by_notary?: true;
}

/** All that is known of the keys of another server. */
export interface KnownKeys {
  /** By key id. */
  readonly keys: Readonly<Record<string, KnownKey>>;
  /** What told them, the best of each key, the oldest first: for who asks us as a notary. */
  readonly told: readonly ServerKeysTold[];
}

export const NO_KEYS: KnownKeys = Object.freeze({ keys: {}, told: [] });

/** So long is a key believed after it was fetched, whatever its server says ("Publishing Keys"). */
const LONGEST_MS = 7 * 24 * 3600_000;
/** A server that takes another key with each answer is one whose first keys count. */
const MOST_KEYS = 200;
const MOST_DOCUMENTS = 16;

/**
 * What is known once a document was told whose signatures hold. Nothing that was known becomes less: a key is valid for longer, or old
 * from then on; and the first key that had an id keeps it, but that what a server says itself counts more than what notaries say of it.
 */
export function evolveKnownKeys(known: KnownKeys, told: ServerKeysTold): KnownKeys {
  const document = readKeys(told.document);
  if (typeof document === 'string') return known;
  const keys: Record<string, KnownKey> = { ...known.keys };
  for (const published of document.keys) {
    const { keyId } = published;
    const before = Object.hasOwn(keys, keyId) ? keys[keyId] : undefined;
    if (before === undefined && Object.keys(keys).length >= MOST_KEYS) continue;
    keys[keyId] = mergeKey(before, keyOf(published, told, document.validUntilTs));
  }
  if (isDeepStrictEqual(keys, known.keys)) return known;
  return { keys, told: bestOfEach([...known.told, told]) };
}

function keyOf(published: PublishedKey, { fetched_ts, notary }: ServerKeysTold, validUntilTs: number): KnownKey {
  const { publicKey: public_key, expiredTs } = published;
  const by = notary === undefined ? {} : { by_notary: true as const };
  return expiredTs === undefined
    ? { public_key, valid_until: Math.min(validUntilTs, fetched_ts + LONGEST_MS), ...by }
    : { public_key, valid_until: expiredTs, is_old: true, ...by };
}

function mergeKey(before: KnownKey | undefined, now: KnownKey): KnownKey {
  if (before === undefined) return now;
  if (before.public_key !== now.public_key) {
    return before.by_notary === true && now.by_notary !== true ? now : before;
  }
  const by = before.by_notary === true && now.by_notary === true ? { by_notary: true as const } : {};
  const { public_key } = before;
  if (before.is_old !== now.is_old) {
    return { public_key, valid_until: (before.is_old ? before : now).valid_until, is_old: true, ...by };
  }
  return before.is_old === true
    ? { public_key, valid_until: Math.min(before.valid_until, now.valid_until), is_old: true, ...by }
    : { public_key, valid_until: Math.max(before.valid_until, now.valid_until), ...by };
}

/** Without those of which every key is in a later one. */
function bestOfEach(told: readonly ServerKeysTold[]): readonly ServerKeysTold[] {
  const seen = new Set<string>();
  const best = told.toReversed().filter(({ document }) => {
    const read = readKeys(document);
    const names = typeof read === 'string' ? [] : read.keys.map(({ keyId, publicKey }) => `${keyId} ${publicKey}`);
    const isBest = names.some((name) => !seen.has(name));
    for (const name of names) seen.add(name);
    return isBest;
  });
  return best.slice(0, MOST_DOCUMENTS).toReversed();
}
