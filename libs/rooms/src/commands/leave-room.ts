import { Inject, Optional } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused } from '#kernel/peer-errors';
import type { Requester } from '#kernel/requester';
import type { MembershipTold } from '../facts/elsewhere-facts.js';
import { REMOTE_ROOMS, type RemoteRooms } from '../remote-rooms.js';
import { contextOf } from '../worker/requester-context.js';
import { MembershipChanges } from './change-membership.js';
import { MembershipsElsewhere, type PlaceElsewhere } from './memberships-elsewhere.js';

/**
 * Leaves a room, or declines an invitation, or takes a knock back: client-server API, "Leaving rooms". Leaving twice, or
 * after having been removed, is no error. Of a room that is not here another server is told; where none takes it, the user
 * has left all the same, and whoever invited them hears of it no more. Throws M_FORBIDDEN for a room the user was never in.
 */
export class LeaveRoom {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly reason?: string,
  ) {}
}

@CommandHandler(LeaveRoom)
export class LeaveRoomHandler implements ICommandHandler<LeaveRoom> {
  constructor(
    private readonly memberships: MembershipChanges,
    private readonly elsewhere: MembershipsElsewhere,
    @Inject(CLOCK) private readonly clock: Clock,
    @Optional() @Inject(REMOTE_ROOMS) private readonly others?: RemoteRooms,
  ) {}

  async execute({ requester, roomId, reason }: LeaveRoom): Promise<void> {
    const place = await this.elsewhere.find(requester.userId, roomId);
    if (place !== undefined) return this.#leaveElsewhere(requester, roomId, reason, place);
    const change = { target: requester.userId, membership: 'leave', reason, onlyOnce: true } as const;
    await this.memberships.change(requester, roomId, change);
  }

  async #leaveElsewhere(
    requester: Requester,
    roomId: RoomId,
    reason: string | undefined,
    { membership, roomVersion, servers, event_id: eventId }: PlaceElsewhere,
  ): Promise<void> {
    if (membership !== 'invite' && membership !== 'knock') return;
    const { userId } = requester;
    const content = { membership: 'leave', ...(reason === undefined ? {} : { reason }) };
    const taken = await this.#askElsewhere({ requester, roomId, content, servers });
    const said = {
      content,
      origin_server_ts: this.clock.now(),
      sender: userId,
      state_key: userId,
      type: 'm.room.member',
    };
    const told: MembershipTold = {
      room_id: roomId,
      room_version: roomVersion,
      membership: 'leave',
      event_id: taken?.eventId ?? eventId,
      ...(taken === undefined ? {} : { origin: taken.server }),
      pdu: taken?.pdu ?? said,
      state: [],
    };
    await this.elsewhere.tell(userId, told, contextOf(requester));
  }

  /** undefined where no server takes it: that it is gone, or wants to know nothing of the user, keeps nobody. */
  async #askElsewhere(wish: Parameters<RemoteRooms['leave']>[0]): ReturnType<RemoteRooms['leave']> {
    try {
      return await this.others?.leave(wish);
    } catch (error) {
      if (error instanceof MatrixError || error instanceof PeerRefused) return undefined;
      throw error;
    }
  }
}
