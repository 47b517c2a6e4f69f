import type { NewFact, RecordedFact } from '#event-store/event-store';
import { withParts } from '#event-store/fact-parts';
import { MOST_IN_A_WRITE, ROOM_PARTS } from '../facts/told-in-parts.js';
import type { PendingFact } from './room-turn.js';

/** What a fact takes in the log besides its data, roughly: metadata, ids, names. */
export const FACT_BYTES = 1024;

/** Whether what a turn appends first counts for nothing without what comes behind it, so that it may go ahead of that. */
export function isInParts([first]: readonly PendingFact[]): boolean {
  return first?.draft.type === 'change-told';
}

/** The facts of a batch as they go into the log: in one write, but for the parts that it may begin with. */
export function inWrites(facts: readonly NewFact[]): NewFact[][] {
  const writes: NewFact[][] = [[]];
  let bytes = 0;
  let isAhead = false;
  for (const [i, fact] of facts.entries()) {
    const more = Buffer.byteLength(fact.data) + FACT_BYTES;
    if (isAhead && bytes + more > MOST_IN_A_WRITE) {
      writes.push([]);
      bytes = 0;
    }
    writes.at(-1)!.push(fact);
    bytes += more;
    isAhead = fact.type === 'change-told' && (isAhead || i === 0);
  }
  return writes;
}

/** The last of some facts of a room, with its parts where it was told in parts. */
export function wholeOf(facts: readonly RecordedFact[]): RecordedFact {
  const last = facts.at(-1)!;
  const count = ROOM_PARTS.count(last);
  return count === 0 ? last : withParts(last, facts.slice(-1 - count, -1), ROOM_PARTS);
}
