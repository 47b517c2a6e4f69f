import type { EventStore, RecordedFact } from './event-store.js';
import { factId } from './fact-id.js';
import { sealFacts, type UnsealedFact } from './seal-facts.js';

/** So many facts may come before it is looked at again how many of a stream still count. */
const FACTS_PER_LOOK = 512;
/** A server takes no more than a megabyte at once. */
const AT_ONCE = 500;

/** Whether a stream that is kept short is to be looked at, once so many facts were appended up to a revision. */
export function isLookDue(revision: number, appended: number): boolean {
  const looksBy = (at: number): number => Math.floor(Math.max(0, at) / FACTS_PER_LOOK);
  return looksBy(revision) > looksBy(revision - appended);
}

/** Whether a fact says again what an earlier one of its stream said, which then went: nobody has to hear of it. */
export function isSaidAgain({ metadata }: Pick<RecordedFact, 'metadata'>): boolean {
  return metadata.causation !== undefined;
}

/**
 * Has the facts go that others have overtaken, in a stream where of each key only the last one counts. A log can let go of what
 * a stream begins with, and no more: so what still counts is said again at the end, as it was (also by whom and when), and all
 * before that may go: up to the fact that is answered; undefined where nothing goes. Nothing is done while more than half of the facts count. So a stream is never much
 * longer than twice what counts of it, and each fact is said again once, on average, at most. Facts of which
 * `findOver` says, by all that would still count, that they do not either, go too. `isWhole`: all that were overtaken go, however few they are. Throws
 * RevisionConflict where somebody else writes the stream.
 */
export async function sayAgainWhatCounts(
  store: EventStore,
  stream: string,
  keyOf: (fact: RecordedFact) => string,
  findOver?: (counting: ReadonlyMap<string, RecordedFact>) => Iterable<string>,
  isWhole = false,
): Promise<Pick<RecordedFact, 'revision' | 'position'> | undefined> {
  const counting = new Map<string, RecordedFact>();
  let last: RecordedFact | undefined;
  let found = 0;
  for await (const fact of store.readStream(stream)) {
    const key = keyOf(fact);
    counting.delete(key); // put behind the others: they are said again in their order
    counting.set(key, fact);
    last = fact;
    found++;
  }
  for (const key of findOver?.(counting) ?? []) {
    // The stream goes on from its last fact.
    if (counting.get(key) !== last) counting.delete(key);
  }
  const least = isWhole ? 1 : Math.max(counting.size, FACTS_PER_LOOK / 2);
  if (last === undefined || found - counting.size < least) return undefined;
  let { revision } = last;
  let { chain } = last.metadata;
  const again = [...counting.values()].map(sayAgain);
  for (let at = 0; at < again.length; at += AT_ONCE) {
    const facts = sealFacts(chain, again.slice(at, at + AT_ONCE));
    ({ revision } = await store.append(stream, revision, facts));
    ({ chain } = facts.at(-1)!.metadata);
  }
  return last;
}

/** A fact as it is said again at the end of its stream: as it was, also by whom and when. */
export function sayAgain({ id, type, data, metadata }: RecordedFact): UnsealedFact {
  const { at, actor, device, correlation, schema, erasable } = metadata;
  return { id: factId(`${id} again`), type, data, at, actor, device, correlation, schema, erasable, causation: id };
}
