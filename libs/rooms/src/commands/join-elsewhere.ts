import { Inject, Injectable, Optional } from '@nestjs/common';
import type { RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { isDescribedTo } from '../reading/may-know-of.js';
import {
  type InviteToExchange,
  REMOTE_ROOMS,
  type RemoteJoin,
  type RemoteMembership,
  type RemoteRooms,
} from '../remote-rooms.js';
import { SPACES_ELSEWHERE, type SpacesElsewhere } from '../spaces-elsewhere.js';
import { contextOf } from '../worker/requester-context.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { sendMembership } from './change-membership.js';
import { closedToGuests, welcomesGuests } from './guest-access.js';
import type { Handshakes } from './handshakes.js';
import { MembershipsElsewhere } from './memberships-elsewhere.js';

/** Joins of users here through other servers. */
@Injectable()
export class JoinElsewhere {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly memberships: MembershipsElsewhere,
    @Inject(VIEWS) private readonly views: Views,
    @Optional() @Inject(REMOTE_ROOMS) private readonly others?: RemoteRooms,
    @Optional() @Inject(SPACES_ELSEWHERE) private readonly rooms?: SpacesElsewhere,
  ) {}

  get handshakes(): Handshakes {
    return this.memberships.handshakes;
  }

  /**
   * As `RemoteRooms.join`, by the servers of an invitation too. Who is a guest no other server knows: so a guest is let in only where one
   * says that the room welcomes guests, and leaves again where that turns out not to be so ("Guest Access"). Throws besides
   * M_GUEST_ACCESS_FORBIDDEN.
   */
  async join(
    requester: Requester,
    roomId: RoomId,
    content: JsonObject,
    via: readonly ServerName[],
  ): Promise<RemoteJoin | undefined> {
    const place = await this.memberships.find(requester.userId, roomId);
    const wish = { requester, roomId, content, servers: [...via, ...(place?.servers ?? [])] };
    return requester.isGuest === true ? this.#joinAsGuest(wish) : this.#join(wish);
  }

  /** As `RemoteRooms.exchange`. Throws M_FORBIDDEN where this server speaks to no others. */
  async exchange(server: ServerName, invite: InviteToExchange): Promise<void> {
    if (this.others === undefined) throw new MatrixError('M_FORBIDDEN', 'This server speaks to no other servers');
    await this.others.exchange(server, invite);
  }

  #join(wish: RemoteMembership): Promise<RemoteJoin | undefined> {
    return this.handshakes.run({ ...wish, membership: 'join' }, async (beforeGiven) =>
      this.others?.join({ ...wish, beforeGiven }),
    );
  }

  async #joinAsGuest(wish: RemoteMembership): Promise<RemoteJoin | undefined> {
    const { requester, roomId, servers } = wish;
    const { described } = (await this.rooms?.find(roomId, servers)) ?? {};
    // That a room is closed to guests is not for those to know who may not enter it anyway.
    if (described === undefined || !(await isDescribedTo(this.views, described, requester.userId))) return undefined;
    if (!described.guest_can_join) throw closedToGuests();
    const joined = await this.#join(wish);
    if (joined !== undefined && !(await this.#isWelcome(requester, roomId))) throw closedToGuests();
    return joined;
  }

  /** Whether a guest may stay in the room where they just came in; else they leave it. */
  async #isWelcome(requester: Requester, roomId: RoomId): Promise<boolean> {
    const { result } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      if (await welcomesGuests(turn)) return true;
      const { userId } = requester;
      const before = await turn.findState('m.room.member', userId);
      if (before?.content['membership'] === 'join') {
        await sendMembership(turn, userId, userId, { membership: 'leave' }, before);
      }
      return false;
    });
    return result;
  }
}
