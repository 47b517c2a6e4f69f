import { isDeepStrictEqual } from 'node:util';
import type { ServerKey } from '#rooms/server-keys';
import type { ServerKeysTold } from '../facts/server-key-facts.js';
import { type PublishedKey, readKeys } from './read-key-document.js';

/** What one told of a key: until when it is in use at the latest, or when it ended; what they say of an end counts more. */
export interface KeyTold {
  readonly in_use_until?: number;
  readonly expired_ts?: number;
}

/** A key of another server as far as this one knows it. */
export interface KnownKey {
  /** Base64 without padding. */
  readonly public_key: string;
  readonly by_server?: KeyTold;
  readonly by_notary?: KeyTold;
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
 * What is known once a document was told whose signatures hold. Nothing is taken back: a key is valid for longer, or old from then on; and
 * the first key that had an id keeps it, but that what a server says itself counts more than what notaries say of it.
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

/**
 * As of the rooms' `ServerKey`. Of what notaries say of a key that its server has told, only that it was in use for longer counts: whoever
 * makes up a key can sign with it that all others have ended.
 */
export function validityOf({ by_server, by_notary }: KnownKey): Pick<ServerKey, 'validUntil' | 'isOld'> {
  const { expired_ts, in_use_until = 0 } = by_server ?? by_notary ?? {};
  return expired_ts === undefined
    ? { validUntil: Math.max(in_use_until, by_notary?.in_use_until ?? 0), isOld: false }
    : { validUntil: expired_ts, isOld: true };
}

function keyOf(published: PublishedKey, { fetched_ts, notary }: ServerKeysTold, validUntilTs: number): KnownKey {
  const { publicKey: public_key, expiredTs: expired_ts } = published;
  const told =
    expired_ts === undefined ? { in_use_until: Math.min(validUntilTs, fetched_ts + LONGEST_MS) } : { expired_ts };
  return { public_key, ...(notary === undefined ? { by_server: told } : { by_notary: told }) };
}

function mergeKey(before: KnownKey | undefined, now: KnownKey): KnownKey {
  if (before === undefined) return now;
  if (before.public_key !== now.public_key) {
    return before.by_server === undefined && now.by_server !== undefined ? now : before;
  }
  const { public_key } = before;
  const by_server = mergeTold(before.by_server, now.by_server);
  const by_notary = mergeTold(before.by_notary, now.by_notary);
  return { public_key, ...(by_server && { by_server }), ...(by_notary && { by_notary }) };
}

function mergeTold(before: KeyTold | undefined, now: KeyTold | undefined): KeyTold | undefined {
  if (before === undefined || now === undefined) return before ?? now;
  const of = (pick: (...times: number[]) => number, key: keyof KeyTold): KeyTold => {
    const times = [before[key], now[key]].filter((time) => time !== undefined);
    return times.length === 0 ? {} : { [key]: pick(...times) };
  };
  return { ...of(Math.max, 'in_use_until'), ...of(Math.min, 'expired_ts') };
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
