import type { UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';

/** What a changed profile sets off in rooms; `libs/rooms` provides it. */
export interface ProfileInRooms {
  /**
   * Sends the user's display name and avatar, as the views have them, in a new `m.room.member` to every room they are joined
   * to (client-server API, "Events on Change of Profile Information"). A room that refuses does not stop the others.
   */
  profileChanged(requester: Requester, userId: UserId): Promise<void>;
}

/** Injection token of the ProfileInRooms. */
export const PROFILE_IN_ROOMS = Symbol.for('annals.ProfileInRooms');
