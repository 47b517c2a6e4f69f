import type { SnapshotCodec } from '#event-store/stream-snapshot';
import type { NewFact } from '#event-store/event-store';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { shortHash } from '#kernel/short-hash';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { type CrossSigningFact, type CrossSigningKeys, KEY_USAGES } from '../facts/cross-signing-facts.js';

export const NO_CROSS_SIGNING: CrossSigningKeys = Object.freeze({});

/** The public key of a cross-signing key in base64, which is its name too. */
export function publicKeyOf(key: JsonObject): string {
  const keys = key['keys'];
  const [publicKey] = isJsonObject(keys) ? Object.values(keys) : [];
  return typeof publicKey === 'string' ? publicKey : '';
}

/** What stands for that which a signature of a key covers. */
export function hashOfSigned(key: JsonObject): string {
  return shortHash(canonicalJson({ ...key, signatures: undefined, unsigned: undefined }, { lenient: true }));
}

/** The keys after some were set. */
export function withKeysSet(before: CrossSigningKeys, set: CrossSigningKeys): CrossSigningKeys {
  return set.master === undefined ? { ...before, ...set } : set;
}

/** The keys as of a fact of the user's stream, as the log holds it. Those of an account that has ended are gone. */
export function foldCrossSigningFact(keys: CrossSigningKeys, fact: NewFact): CrossSigningKeys {
  if (fact.type === 'account-deactivated') return NO_CROSS_SIGNING;
  if (fact.type !== 'cross-signing-keys-set') return keys;
  // Only this library writes this type: its data has the shape that CrossSigningFacts gives.
  return withKeysSet(
    keys,
    JSON.parse(fact.data) as Extract<CrossSigningFact, { type: 'cross-signing-keys-set' }>['data'],
  );
}

/** How the fold is kept outside of the log. To be numbered anew when it changes. */
export const crossSigningSnapshots: SnapshotCodec<CrossSigningKeys> = {
  version: 1,
  format: (keys) => keys,
  restore: (kept) => kept as CrossSigningKeys, // as `format` had it, which is plain JSON
};

/** Those of the keys that are not here under the same public key. */
export function keysThatAreNew(now: CrossSigningKeys, uploaded: CrossSigningKeys): CrossSigningKeys {
  const isNew = (usage: (typeof KEY_USAGES)[number]): boolean => {
    const [key, known] = [uploaded[usage], now[usage]];
    return key !== undefined && (known === undefined || publicKeyOf(known) !== publicKeyOf(key));
  };
  return Object.fromEntries(KEY_USAGES.filter(isNew).map((usage) => [usage, uploaded[usage]]));
}
