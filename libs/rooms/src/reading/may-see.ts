import type { UserId } from '#kernel/ids';
import type { HistoryVisibility } from '../facts/room-facts.js';
import type { RowHeader } from '../projections/timeline-row.js';
import type { Memberships } from './memberships.js';

/** What the rules look at of an event. */
export type SeenHeader = Pick<RowHeader, 'p' | 'v' | 'w' | 't' | 'k'>;

/**
 * Whether a reader may see an event: client-server API, "Room History Visibility". What counts is the visibility and the
 * reader's membership at the event; for the events that change one of the two, the more open of before and after.
 */
export function maySee(header: SeenHeader, userId: UserId, memberships: Memberships): boolean {
  const { p, v, w, t, k } = header;
  const after = memberships.at(p);
  if (after === 'join') return true;
  if (lets(v, after, p, memberships) || (w !== undefined && lets(w, after, p, memberships))) return true;
  if (t !== 'm.room.member' || k !== userId) return false;
  return lets(v, memberships.before(p), p, memberships);
}

/** The rules in their order. */
function lets(
  visibility: HistoryVisibility,
  membership: string,
  position: RowHeader['p'],
  memberships: Memberships,
): boolean {
  // 1. "If the history_visibility was set to world_readable, allow."
  if (visibility === 'world_readable') return true;
  // 2. "If the user's membership was join, allow."
  if (membership === 'join') return true;
  // 3. "If history_visibility was set to shared, and the user joined the room at any point after the event was sent, allow."
  if (visibility === 'shared' && memberships.isInLater(position)) return true;
  // 4. "If the user's membership was invite, and the history_visibility was set to invited, allow."
  return membership === 'invite' && visibility === 'invited';
}
