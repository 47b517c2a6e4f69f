import type { NewFact, RecordedFact } from '#event-store/event-store';
import { withParts } from '#event-store/fact-parts';
import { bytesInLog, inGroups, MOST_IN_A_WRITE } from '../facts/log-limits.js';
import { ROOM_PARTS } from '../facts/told-in-parts.js';
import type { PendingFact } from './room-turn.js';

/** Whether what a turn appends first counts for nothing without what comes behind it, so that it may go ahead of that. */
export function isInParts([first]: readonly PendingFact[]): boolean {
  return first?.draft.type === 'change-told';
}

/** The facts of a batch, of which there are some, as they go into the log: in one write, but for the parts that it may begin with. */
export function inWrites(facts: readonly NewFact[]): NewFact[][] {
  const ahead = facts.findIndex(({ type }) => type !== 'change-told');
  if (ahead === 0) return [[...facts]];
  const writes = inGroups(facts.slice(0, ahead + 1), ({ data }) => bytesInLog(data), MOST_IN_A_WRITE);
  writes.at(-1)!.push(...facts.slice(ahead + 1));
  return writes;
}

/** The last of some facts of a room, with its parts where it was told in parts. */
export function wholeOf(facts: readonly RecordedFact[]): RecordedFact {
  const last = facts.at(-1)!;
  const count = ROOM_PARTS.count(last);
  return count === 0 ? last : withParts(last, facts.slice(-1 - count, -1), ROOM_PARTS);
}
