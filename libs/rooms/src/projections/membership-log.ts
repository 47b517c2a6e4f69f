import { type Answer, whenThere } from '#kernel/answer';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, Collection } from '#projections/collection';
import type { OwnRows } from '#projections/projector';

/** From here on a user's membership is this. Only where it changes. */
export interface MembershipLogRow {
  readonly membership: string;
  /** Where the user's last stay up to here ended: the first change to anything else after a join. */
  readonly left?: Position;
  /** It was told of a room that was not here: no event of the room, as far as it is here, says so. */
  readonly elsewhere?: true;
}

export const MEMBERSHIP_LOG = new Collection<
  readonly [roomId: RoomId, userId: UserId, position: Position],
  MembershipLogRow
>('membership-log', {
  key: ['room', 'user', 'position'],
  says: 'membership from there on, end of the last stay',
  codec: asJson(),
});

/** What a user was last before a position, and what the room's own events had made of them. */
export interface LastBefore {
  readonly any: MembershipLogRow | undefined;
  readonly inRoom: MembershipLogRow | undefined;
}

/** So many memberships are looked at that were told of a room which is not here, for one that the room tells itself. */
const TOLD_AT_ONCE = 100;

/** The last change before a position, of all that are told, and of those that the room tells itself. */
export function findLastBefore(
  roomId: RoomId,
  userId: UserId,
  position: Position,
  rows: OwnRows,
  limit = 1,
): Answer<LastBefore> {
  const before = [roomId, userId, position] as const;
  const found = MEMBERSHIP_LOG.scan(rows, { prefix: [roomId, userId], before, reverse: true, limit });
  return whenThere(found, (entries) => {
    const inRoom = entries.find(({ value }) => value.elsewhere !== true)?.value;
    const mayHaveMore = inRoom === undefined && entries.length === limit && limit < TOLD_AT_ONCE;
    if (mayHaveMore) return findLastBefore(roomId, userId, position, rows, TOLD_AT_ONCE);
    return { any: entries[0]?.value, inRoom };
  });
}
