import type { EventStore, RecordedFact } from '#event-store/event-store';
// Where the log is a file of our own, its positions count its facts: what cannot be read is one of them.
// oxlint-disable-next-line annals/no-position-arithmetic
import { followingPosition } from '#event-store/lmdb/counted-position';
import { parsePosition, type Position, START } from '#kernel/position';
import { messageOf } from '#kernel/message-of';
import type { Place, Report } from './finding.js';

export interface VerifyOrderOptions {
  readonly store: EventStore;
  readonly head: Position;
  readonly report: Report;
  readonly onFact: () => void;
  readonly onPlace: (place: Place) => void;
  /** See VerifyLogOptions. */
  readonly isEmbedded: boolean;
  readonly careful?: boolean;
}

const BATCH = 1000;
const CAREFUL_FACTS = 200;
/** After so many positions in a row that cannot be read, the rest of the order is given up. */
const MOST_UNREADABLE = 10_000;

/** A fact whose place in the order cannot be right. */
class Misplaced extends Error {}

/**
 * Walks the global order up to `head`: positions only grow. Answers how many facts it holds; undefined where it could not be
 * walked to its end.
 */
export function verifyOrder(options: VerifyOrderOptions): Promise<number | undefined> {
  return walkOrder(options, () => true);
}

/**
 * Looks for the facts of the global order that their streams do not have at their place: only asked for when the numbers
 * differ. A server that goes on may let go of the beginning of a stream between the one look and the other: then the order does not have it
 * any more either. Names at most `most`.
 */
export async function findLostFacts(options: VerifyOrderOptions, most = 100): Promise<void> {
  const { store, report } = options;
  let found = 0;
  let before: Position = START;
  // What is wrong with the order itself has been told.
  await walkOrder({ ...options, report: () => {} }, async ({ id, stream, revision, position }) => {
    const after = before;
    before = position;
    if ((await idAt(store, stream, revision)) === id || (await idBehind(store, after)) !== id) return true;
    report({ stream, revision, problem: `is in the global order at position ${position}, but not in its stream` });
    return ++found < most;
  });
}

type Visit = (fact: RecordedFact) => boolean | Promise<boolean>;

/** `visit` answers whether to go on. */
async function walkOrder(options: VerifyOrderOptions, visit: Visit): Promise<number | undefined> {
  const { store, head, report, onFact, onPlace, isEmbedded } = options;
  let after: Position = START;
  let facts = 0;
  let carefully = options.careful === true ? Infinity : 0;
  let unreadable = 0;
  while (after < head) {
    onPlace({ phase: 'order', position: after });
    const isCareful = carefully > 0;
    const before = after;
    try {
      for await (const batch of store.readAll({ after, batchSize: isCareful ? 1 : BATCH })) {
        for (const fact of batch) {
          checkPlace(fact, after, head);
          after = fact.position;
          facts++;
          onFact();
          if (!(await visit(fact))) return undefined;
          if (after >= head) return facts;
        }
        if (isCareful) break;
      }
      if (after === before) {
        report({ problem: `the global order ends at position ${after}, and not at the end of the log, ${head}` });
        return undefined;
      }
      carefully--;
      unreadable = 0;
    } catch (error) {
      if (!isEmbedded && !(error instanceof Misplaced)) throw error;
      // The first time the batch is read again one by one, to find out which fact it is.
      if (isCareful) {
        after = followingPosition(after);
        report({ problem: `position ${after} of the global order cannot be read: ${messageOf(error)}` });
        facts++;
        onFact();
        if (++unreadable >= MOST_UNREADABLE) {
          report({ problem: `the global order cannot be read behind position ${after}` });
          return undefined;
        }
      }
      carefully = Math.max(carefully, CAREFUL_FACTS);
    }
  }
  return facts;
}

/** Positions leave gaps: those of a server are places in a file, and where a stream was truncated nothing is left at a position. */
function checkPlace({ stream, revision, position }: RecordedFact, after: Position, head: Position): void {
  if (parsePosition(position) !== undefined && position > after && position <= head) return;
  throw new Misplaced(`${stream} revision ${revision} says that it stands at position ${position}`);
}

async function idAt(store: EventStore, stream: string, revision: number): Promise<string | undefined> {
  for await (const fact of store.readStream(stream, { from: revision, limit: 1 })) {
    return fact.revision === revision ? fact.id : undefined;
  }
  return undefined;
}

/** The fact that the global order has behind a position now. */
async function idBehind(store: EventStore, after: Position): Promise<string | undefined> {
  for await (const [fact] of store.readAll({ after, batchSize: 1 })) return fact?.id;
  return undefined;
}
