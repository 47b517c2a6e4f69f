import type { EventStore } from '#event-store/event-store';
import { type Position, START } from '#kernel/position';
import type { Mark } from './effect-facts.js';

/** Each process tells by its own clock when it wrote a fact: what was decided so long before another, in milliseconds, came before it. */
const CLOCKS_DIFFER_MS = 3_600_000;

/**
 * The position up to which an effect is done, in the log with the id `logId`: in a copy of the log that noted it positions are
 * others. Where the copy lacks the very fact (its use had ended), it is one that came before it for certain: what came since an hour
 * before is done once more.
 */
export async function placeOfMark(
  store: Pick<EventStore, 'readStream' | 'readAll'>,
  logId: string | null,
  mark: Mark | null,
): Promise<Position> {
  if (mark === null) return START;
  if (mark.log_id === logId) return mark.position;
  for await (const fact of store.readStream(mark.stream, { from: mark.revision, limit: 1 })) {
    if (fact.revision === mark.revision) return fact.position;
  }
  let before = START;
  for await (const facts of store.readAll({ after: START })) {
    for (const { position, metadata } of facts) {
      if (metadata.at > mark.at - CLOCKS_DIFFER_MS) return before;
      before = position;
    }
  }
  return before;
}
