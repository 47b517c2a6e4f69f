import type { RoomId, UserId } from '#kernel/ids';

/** Who is told where certain users come and go, in the order of the log and before anybody is woken for it. */
export interface MembershipFollower {
  /** Whether it is to be told of a user. */
  follows(userId: UserId): boolean;
  /** A user's membership of a room is this now. */
  moved(userId: UserId, roomId: RoomId, membership: string): void;
}
