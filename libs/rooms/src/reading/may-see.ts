import type { EventId } from '#kernel/ids';
import type { HistoryVisibility } from '../facts/room-facts.js';
import type { RowHeader } from '../projections/timeline-row.js';

/** What the rules look at of an event. */
export type SeenHeader = Pick<
  RowHeader,
  'position' | 'visibility' | 'setsVisibility' | 'type' | 'stateKey' | 'isHistory' | 'isAside' | 'isWaiting'
> & {
  /** Of an event of the past, and of one at which the room forked. */
  readonly eventId?: EventId;
};

/** What is asked of the reader whom the rules are applied to. */
export interface SeeingReader {
  /** Whether a member event with this state key says what the reader is. */
  isAbout(stateKey: string | undefined): boolean;
  /** Just after an event. */
  membershipAt(header: SeenHeader): string;
  /** Just before an event, by which it may have changed. */
  membershipBefore(header: SeenHeader): string;
  /** Whether the reader was in the room just after an event or at any time later. */
  isInLater(header: SeenHeader): boolean;
}

/**
 * Whether a reader may see an event: client-server API, "Room History Visibility". What counts is the visibility and the
 * reader's membership at the event; for the events that change one of the two, the more open of before and after.
 */
export function maySee(header: SeenHeader, who: SeeingReader): boolean {
  const { visibility, setsVisibility, type, stateKey } = header;
  const after = who.membershipAt(header);
  if (after === 'join' || lets(visibility, after, header, who)) return true;
  if (setsVisibility !== undefined && lets(setsVisibility, after, header, who)) return true;
  if (type !== 'm.room.member' || !who.isAbout(stateKey)) return false;
  return lets(visibility, who.membershipBefore(header), header, who);
}

/** The rules in their order. */
function lets(visibility: HistoryVisibility, membership: string, header: SeenHeader, who: SeeingReader): boolean {
  // 1. "If the history_visibility was set to world_readable, allow."
  if (visibility === 'world_readable') return true;
  // 2. "If the user's membership was join, allow."
  if (membership === 'join') return true;
  // 3. "If history_visibility was set to shared, and the user joined the room at any point after the event was sent, allow."
  if (visibility === 'shared' && who.isInLater(header)) return true;
  // 4. "If the user's membership was invite, and the history_visibility was set to invited, allow."
  return membership === 'invite' && visibility === 'invited';
}
