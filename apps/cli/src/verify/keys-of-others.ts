import type { EventStore, RecordedFact } from '#event-store/event-store';
import { inTodaysShape } from '#event-store/fact-shapes';
import { readTold, SERVER_KEYS_PREFIX, serverOfKeys, type ServerKeysTold } from '#federation/facts/server-key-facts';
import { evolveKnownKeys, type KnownKey, NO_KEYS } from '#federation/receive/known-keys';
import { readSignedKeys } from '#federation/receive/read-key-document';
import { FACT_SHAPES } from '#processes/fact-shapes';
import type { PublicKey } from './messages.js';

/** The keys of other servers, by what the log has of them. Facts that cannot be read are left out: `verify` finds them by themselves. */
export async function keysOfOthers(store: EventStore): Promise<PublicKey[]> {
  const keys: PublicKey[] = [];
  for await (const stream of store.streams({ prefix: SERVER_KEYS_PREFIX })) {
    let known = NO_KEYS;
    for await (const fact of store.readStream(stream)) {
      const told = findTold(fact);
      if (told !== undefined) known = evolveKnownKeys(known, told);
    }
    const server = serverOfKeys(stream);
    for (const [keyId, key] of Object.entries(known.keys)) {
      keys.push({ server, keyId, key: key.public_key, validity: everTaken(key) });
    }
  }
  return keys;
}

/** What came while a key was taken for valid was right by then, also where it was said later that it had ended before. */
function everTaken({ by_server: server, by_notary: notary }: KnownKey): PublicKey['validity'] {
  const all = [server, notary].filter((told) => told !== undefined);
  const until = Math.max(...all.flatMap((told) => [told.in_use_until ?? 0, told.expired_ts ?? 0]));
  return { until, isOld: all.every((told) => told.in_use_until === undefined) };
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
