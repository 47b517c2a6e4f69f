import type { Position } from '#kernel/position';
import type { MembershipChange, ReaderHistory } from '#rooms/queries/visibility';

/** What became of a user in a room over the stretch that an answer covers. */
export interface MembershipOver {
  /** The last change up to the end of the stretch; undefined where there was none yet. */
  readonly last: MembershipChange | undefined;
  /** The user was in the room at the beginning of the stretch or at some time in it. */
  readonly wasIn: boolean;
  /** The client does not have the room: the user was not in it at the beginning. */
  readonly isNew: boolean;
  /** The client had the room, but the user has left and come back: much may have happened behind their back. */
  readonly cameBack: boolean;
}

/** Looks at a user's memberships behind `since` (exclusive; undefined: from the beginning) up to `until` (inclusive). */
export function membershipOver(
  { changes }: ReaderHistory,
  since: Position | undefined,
  until: Position,
): MembershipOver {
  const known = changes.filter(({ position }) => position <= until);
  const before = since === undefined ? undefined : known.findLast(({ position }) => position <= since)?.membership;
  const during = known.filter(({ position }) => since === undefined || position > since);
  const last = known.at(-1);
  const wasIn = before === 'join' || during.some(({ membership }) => membership === 'join');
  const isNew = before !== 'join';
  const cameBack = !isNew && last?.membership === 'join' && during.some(({ membership }) => membership !== 'join');
  return { last, wasIn, isNew, cameBack };
}
