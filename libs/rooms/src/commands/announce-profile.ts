import { Inject, Injectable } from '@nestjs/common';
import type { ProfileInRooms } from '#accounts/profile-in-rooms';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { listJoinedRooms } from '../queries/list-user-rooms.js';
import { contextOf } from '../worker/requester-context.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { MembershipChanges, sendMembership } from './change-membership.js';

/** How many rooms are told at the same time. */
const ROOMS_AT_ONCE = 16;

/**
 * Tells the rooms a user is in of a new profile: client-server API, "Events on Change of Profile Information". The member
 * event keeps whatever else it said.
 */
@Injectable()
export class AnnounceProfile implements ProfileInRooms {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly memberships: MembershipChanges,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async profileChanged(requester: Requester, userId: UserId): Promise<void> {
    const profile = await this.memberships.contentOf({ target: userId, membership: 'join' });
    const rooms = await listJoinedRooms(this.views, userId);
    const next = rooms[Symbol.iterator]();
    const tell = async (): Promise<void> => {
      for (let room = next.next(); room.done !== true; room = next.next()) {
        await this.#announce(requester, userId, room.value, profile);
      }
    };
    await Promise.all(Array.from({ length: ROOMS_AT_ONCE }, tell));
  }

  async #announce(requester: Requester, userId: UserId, roomId: RoomId, profile: JsonObject): Promise<void> {
    const sent = this.workers.run(roomId, contextOf(requester), async (turn) => {
      const before = await turn.findState('m.room.member', userId);
      if (before?.content['membership'] !== 'join') return;
      const { displayname: _, avatar_url: __, join_authorised_via_users_server: ___, ...kept } = before.content;
      await sendMembership(turn, userId, userId, { ...kept, ...profile }, before);
    });
    try {
      const { position } = await sent;
      if (position !== undefined) await this.views.whenProcessed(position);
    } catch (error) {
      // A room may forbid it (a join rule that has changed since); the other rooms are told all the same.
      if (!(error instanceof MatrixError)) throw error;
    }
  }
}
