import type { UserId } from '#kernel/ids';
import type { HistoryVisibility } from '../facts/room-facts.js';
import type { RowHeader } from '../projections/timeline-row.js';
import type { Memberships } from './memberships.js';

/** What the rules look at of an event. */
export type SeenHeader = Pick<RowHeader, 'position' | 'visibility' | 'setsVisibility' | 'type' | 'stateKey'>;

/**
 * Whether a reader may see an event: client-server API, "Room History Visibility". What counts is the visibility and the
 * reader's membership at the event; for the events that change one of the two, the more open of before and after.
 */
export function maySee(header: SeenHeader, userId: UserId, memberships: Memberships): boolean {
  const { position, visibility, setsVisibility, type, stateKey } = header;
  const after = memberships.at(position);
  if (after === 'join' || lets(visibility, after, position, memberships)) return true;
  if (setsVisibility !== undefined && lets(setsVisibility, after, position, memberships)) return true;
  if (type !== 'm.room.member' || stateKey !== userId) return false;
  return lets(visibility, memberships.before(position), position, memberships);
}

/** The rules in their order. */
function lets(
  visibility: HistoryVisibility,
  membership: string,
  position: RowHeader['position'],
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
