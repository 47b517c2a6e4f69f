import { isDeepStrictEqual } from 'node:util';
import type { NewFact } from '#event-store/event-store';
import type { JsonObject } from '#kernel/json';
import { shortHash } from '#kernel/short-hash';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import type {
  ClaimedKey,
  DeviceKeyFact,
  DeviceKeysSummedUp,
  KeyCounts,
  NamedPublicKey,
  PublicKey,
} from '../facts/device-key-facts.js';

export interface OneTimeKey extends NamedPublicKey {
  /** The restoration of the log by whose time it was uploaded: by the time of another one it is void. */
  readonly history: string;
}

export interface FallbackKey extends NamedPublicKey {
  /** Somebody has claimed it. */
  readonly used: boolean;
}

/** What the deciders know of a device's keys. */
export interface KeysOfDevice {
  /** When the device was made whose keys these are; undefined where there were none. */
  readonly createdTs: number | undefined;
  readonly deviceKeys: JsonObject | undefined;
  /** By name, in the order of their upload. */
  readonly oneTimeKeys: ReadonlyMap<string, OneTimeKey>;
  /** By algorithm. */
  readonly fallbackKeys: ReadonlyMap<string, FallbackKey>;
  /** The hash of each key that was claimed lately, by its name, in the order of claims. */
  readonly claimed: ReadonlyMap<string, string>;
  /** How many facts the stream has since all was said again. */
  readonly facts: number;
}

export const NO_KEYS: KeysOfDevice = Object.freeze({
  createdTs: undefined,
  deviceKeys: undefined,
  oneTimeKeys: new Map<string, OneTimeKey>(),
  fallbackKeys: new Map<string, FallbackKey>(),
  claimed: new Map<string, string>(),
  facts: 0,
});

/** So many names of claimed keys are kept: those that a client may still upload again, not knowing that it had. */
const CLAIMED = 500;

/** How a client names a key. */
export function nameOfKey({ algorithm, key_id: keyId }: Pick<NamedPublicKey, 'algorithm' | 'key_id'>): string {
  return `${algorithm}:${keyId}`;
}

/** What stands for a key that is not here any more. */
export function hashOfKey(key: PublicKey): string {
  return shortHash(canonicalJson(withoutSignatures(key), { lenient: true }));
}

/** Whether it is the key that a hash stands for. In facts of before signatures were left out of it the hash is of all of the key. */
export function isKeyOfHash(key: PublicKey, hash: string): boolean {
  return hash === hashOfKey(key) || hash === shortHash(canonicalJson(key, { lenient: true }));
}

/** Whether two uploads are of one key: a client that did not hear of the first one may have signed it anew for the second. */
export function isSameKey(one: PublicKey, other: PublicKey): boolean {
  return isDeepStrictEqual(withoutSignatures(one), withoutSignatures(other));
}

function withoutSignatures(key: PublicKey): PublicKey {
  if (typeof key === 'string') return key;
  const { signatures: _signatures, ...signed } = key;
  return signed;
}

/** The one-time and fallback keys of a device, as it is told of them, by the time of a restoration of the log. */
export function countKeys({ oneTimeKeys, fallbackKeys }: KeysOfDevice, history: string): KeyCounts {
  const counts = new Map<string, number>();
  for (const { algorithm, history: of } of oneTimeKeys.values()) {
    if (of === history) counts.set(algorithm, (counts.get(algorithm) ?? 0) + 1);
  }
  const unused = [...fallbackKeys.values()].filter(({ used }) => !used).map(({ algorithm }) => algorithm);
  return {
    counts: Object.fromEntries(counts),
    unused_fallback: unused.toSorted(),
    history,
  };
}

/** The keys of the device that was made then: those of a former one of the same id are not its own. */
export function keysOfDeviceMade(keys: KeysOfDevice, createdTs: number): KeysOfDevice {
  return keys.createdTs === createdTs ? keys : { ...NO_KEYS, createdTs, facts: keys.facts };
}

/** The keys as of a fact of their stream, as the log holds it. */
export function foldDeviceKeyFact(keys: KeysOfDevice, fact: NewFact): KeysOfDevice {
  // Only this library writes to these streams: the data has the shape that DeviceKeyFacts gives.
  return evolveKeysOfDevice(keys, {
    type: fact.type,
    data: JSON.parse(fact.data) as unknown,
  } as DeviceKeyFact);
}

export function evolveKeysOfDevice(before: KeysOfDevice, { type, data }: DeviceKeyFact): KeysOfDevice {
  const own = keysOfDeviceMade(before, data.created_ts);
  const keys = { ...own, facts: own.facts + 1 };
  switch (type) {
    case 'device-keys-set': {
      const isSame = hasSameKeys(keys.deviceKeys, data.device_keys);
      return {
        ...(isSame ? keys : { ...NO_KEYS, createdTs: keys.createdTs, facts: keys.facts }),
        deviceKeys: data.device_keys,
      };
    }
    case 'one-time-keys-added': {
      const { history } = data.after;
      const added = data.keys.map((key) => [nameOfKey(key), { ...key, history }] as const);
      return { ...keys, oneTimeKeys: new Map([...keys.oneTimeKeys, ...added]) };
    }
    case 'fallback-keys-set': {
      const set = data.keys.map((key) => [key.algorithm, { ...key, used: false }] as const);
      return { ...keys, fallbackKeys: new Map([...keys.fallbackKeys, ...set]) };
    }
    case 'one-time-keys-claimed':
      return afterClaims(keys, data.claims);
    case 'device-keys-summed-up':
      return summedUp(data);
    case 'device-keys-ended':
      return NO_KEYS;
    default:
      return keys;
  }
}

/** The end of keys, where the device whose they are was removed, by when it was made, in milliseconds. */
export function decideEnd(
  { createdTs }: KeysOfDevice,
  isRemoved: (madeAt: number) => boolean,
): readonly DeviceKeyFact[] {
  if (createdTs === undefined || !isRemoved(createdTs)) return [];
  return [{ type: 'device-keys-ended', data: { created_ts: createdTs } }];
}

/** Whether two uploads of device keys are of the same identity: only what this signed is good for whoever claims it. */
function hasSameKeys(before: JsonObject | undefined, after: JsonObject): boolean {
  return before === undefined || isDeepStrictEqual(before['keys'], after['keys']);
}

function afterClaims(keys: KeysOfDevice, claims: readonly ClaimedKey[]): KeysOfDevice {
  const oneTimeKeys = new Map(keys.oneTimeKeys);
  const fallbackKeys = new Map(keys.fallbackKeys);
  const claimed = new Map(keys.claimed);
  for (const claim of claims) {
    const fallback = fallbackKeys.get(claim.algorithm);
    if (claim.fallback === true) {
      if (fallback?.key_id === claim.key_id) fallbackKeys.set(claim.algorithm, { ...fallback, used: true });
      continue;
    }
    const name = nameOfKey(claim);
    const key = oneTimeKeys.get(name);
    if (key === undefined) continue;
    oneTimeKeys.delete(name);
    claimed.set(name, hashOfKey(key.key));
  }
  while (claimed.size > CLAIMED) claimed.delete(claimed.keys().next().value as string);
  return { ...keys, oneTimeKeys, fallbackKeys, claimed };
}

function summedUp(data: DeviceKeysSummedUp): KeysOfDevice {
  return {
    createdTs: data.created_ts,
    deviceKeys: data.device_keys,
    oneTimeKeys: new Map(data.one_time_keys.map((key) => [nameOfKey(key), key])),
    fallbackKeys: new Map(data.fallback_keys.map((key) => [key.algorithm, key])),
    claimed: new Map(data.claimed),
    facts: 0,
  };
}
