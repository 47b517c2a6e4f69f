import type { EventStore, RecordedFact } from '#event-store/event-store';
import { inTodaysShape } from '#event-store/fact-shapes';
import { readTold, SERVER_KEYS_PREFIX, serverOfKeys, type ServerKeysTold } from '#federation/facts/server-key-facts';
import { evolveKnownKeys, type KnownKeys, NO_KEYS } from '#federation/receive/known-keys';
import { readSignedKeys } from '#federation/receive/read-key-document';
import { FACT_SHAPES } from '#processes/fact-shapes';
import type { PublicKey } from './messages.js';

/** The keys of other servers, by what the log has of them. Facts that cannot be read are left out: `verify` finds them by themselves. */
export async function keysOfOthers(store: EventStore): Promise<PublicKey[]> {
  const keys: PublicKey[] = [];
  for await (const stream of store.streams({ prefix: SERVER_KEYS_PREFIX })) {
    let known: KnownKeys = NO_KEYS;
    const inUseUntil = new Map<string, number>();
    for await (const fact of store.readStream(stream)) {
      const told = findTold(fact);
      if (told === undefined) continue;
      known = evolveKnownKeys(known, told);
      for (const [keyId, { public_key: key, valid_until: until, is_old: isOld }] of keysIn(told)) {
        if (isOld !== true && known.keys[keyId]?.public_key === key) {
          inUseUntil.set(keyId, Math.max(until, inUseUntil.get(keyId) ?? 0));
        }
      }
    }
    for (const [keyId, { public_key: key, valid_until: expired }] of Object.entries(known.keys)) {
      const until = inUseUntil.get(keyId);
      // What came while it was taken for valid was right by then, also where its server said later that it had ended before.
      const validity = { until: Math.max(until ?? 0, expired), isOld: until === undefined };
      keys.push({ server: serverOfKeys(stream), keyId, key, validity });
    }
  }
  return keys;
}

/** What is wrong with a fact of the keys of another server; undefined where nothing is. Its data is JSON. */
export function findKeysProblem(fact: RecordedFact): string | undefined {
  const { fetched_ts: fetched, document } = readTold(fact) as Partial<ServerKeysTold>;
  if (typeof fetched !== 'number' || document === undefined) return 'it tells no keys';
  const read = readSignedKeys(document, serverOfKeys(fact.stream));
  return typeof read === 'string' ? `the keys that it tells do not count: ${read}` : undefined;
}

/** Undefined where the fact tells no keys that count. */
function findTold(fact: RecordedFact): ServerKeysTold | undefined {
  try {
    const today = inTodaysShape(fact, FACT_SHAPES);
    return findKeysProblem(today) === undefined ? readTold(today) : undefined;
  } catch {
    return undefined;
  }
}

function keysIn(told: ServerKeysTold): [string, KnownKeys['keys'][string]][] {
  return Object.entries(evolveKnownKeys(NO_KEYS, told).keys);
}
