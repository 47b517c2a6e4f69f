import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import { listJoinedRooms } from '#rooms/queries/list-user-rooms';

/**
 * Tells of whom a user shares a room with: both are joined to it now, or the other is of some other of the memberships given. The user's own
 * rooms are those given, or read once, when first needed.
 */
export class RoomMates {
  #rooms: Promise<ReadonlySet<RoomId>> | undefined;

  constructor(
    private readonly views: Views,
    private readonly userId: UserId,
    rooms?: ReadonlySet<RoomId>,
    private readonly memberships: readonly string[] = ['join'],
  ) {
    this.#rooms = rooms && Promise.resolve(rooms);
  }

  /** Whether another user is in a room with this one; everybody is with themself. */
  async has(other: UserId): Promise<boolean> {
    if (other === this.userId) return true;
    const rooms = await (this.#rooms ??= listJoinedRooms(this.views, this.userId).then((ids) => new Set(ids)));
    if (rooms.size === 0) return false;
    for await (const page of USER_ROOMS.pages(this.views, { prefix: [other] })) {
      for (const { key, value } of page)
        if (rooms.has(key[1]) && this.memberships.includes(value.membership)) return true;
    }
    return false;
  }
}
