import type { Position } from '#kernel/position';
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

export interface Shortening {
  /** Of the facts that count by their keys: which do not count any more either. */
  readonly findOver?: (counting: ReadonlyMap<string, RecordedFact>) => Iterable<string>;
  /** What is over is said again, too, before what counts: views have rows that nothing else would take away. */
  readonly saysOver?: boolean;
  /** All that were overtaken go, however few they are. */
  readonly isWhole?: boolean;
}

/** What may go of a stream in which all was said again that counts. */
export interface SaidAgain {
  /** What stands before this revision, at once: who reads the stream from here on finds the same without. */
  readonly before: number;
  /** What is over and was said again: it stands before this revision, and goes once all that read something of what went before have passed the position. */
  readonly over?: { readonly before: number; readonly position: Position };
}

/**
 * Has the facts go that others have overtaken, in a stream where of each key only the last one counts. A log can let go of what
 * a stream begins with, and no more: so what still counts is said again at the end, as it was (also by whom and when), and all
 * before that may go; undefined where nothing goes. Nothing is done while more than half of the facts count. So a stream is never much
 * longer than twice what counts of it, and each fact is said again once, on average, at most. Facts that are over (`findOver`) go too. Throws
 * RevisionConflict where somebody else writes the stream.
 */
export async function sayAgainWhatCounts(
  store: EventStore,
  stream: string,
  keyOf: (fact: RecordedFact) => string,
  { findOver, saysOver = false, isWhole = false }: Shortening = {},
): Promise<SaidAgain | undefined> {
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
  const over = new Set<RecordedFact>();
  for (const key of findOver?.(counting) ?? []) {
    const fact = counting.get(key);
    // The stream goes on from its last fact.
    if (fact === undefined || fact === last) continue;
    counting.delete(key);
    if (saysOver) over.add(fact);
  }
  const least = isWhole ? 1 : Math.max(counting.size, FACTS_PER_LOOK / 2);
  if (last === undefined || found - counting.size < least) return undefined;
  let { revision, position } = last;
  let { chain } = last.metadata;
  const again = [...[...over].toSorted((a, b) => a.revision - b.revision), ...counting.values()].map(sayAgain);
  for (let at = 0; at < again.length; at += AT_ONCE) {
    const facts = sealFacts(chain, again.slice(at, at + AT_ONCE));
    ({ revision, position } = await store.append(stream, revision, facts));
    ({ chain } = facts.at(-1)!.metadata);
  }
  const before = last.revision + 1;
  return over.size === 0 ? { before } : { before, over: { before: before + over.size, position } };
}

/** A fact as it is said again at the end of its stream: as it was, also by whom and when. */
export function sayAgain({ id, type, data, metadata }: RecordedFact): UnsealedFact {
  const { at, actor, device, correlation, schema, erasable } = metadata;
  return { id: factId(`${id} again`), type, data, at, actor, device, correlation, schema, erasable, causation: id };
}
