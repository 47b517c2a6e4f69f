import { createHash } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import type { MembershipTold } from '../facts/elsewhere-facts.js';
import { USER_ROOMS } from '../projections/membership.projector.js';
import { MembershipsElsewhere } from './memberships-elsewhere.js';

/** A room of which nothing is left. */
export interface PurgedRoom {
  readonly roomId: RoomId;
  readonly roomVersion: string;
  /** The last fact of the purge, and when it was written. */
  readonly position: Position;
  readonly at: number;
}

/**
 * Tells a user whom a purge had leave a room that they are not in it: the event by which they left is gone, and a device that was away
 * meanwhile would show the room for ever. It is told as of a room that is not here, and nothing else is told of it. Where the user was told
 * before, or has to do with such a room again, nothing is done.
 */
export class TellPurged {
  constructor(
    readonly userId: UserId,
    readonly room: PurgedRoom,
    readonly cause: Cause,
  ) {}
}

@CommandHandler(TellPurged)
export class TellPurgedHandler implements ICommandHandler<TellPurged> {
  constructor(
    private readonly elsewhere: MembershipsElsewhere,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ userId, room, cause }: TellPurged): Promise<void> {
    const { roomId, position } = room;
    // Until then the user has the row of the room that there was.
    await this.views.whenProcessed(position, [USER_ROOMS.name]);
    await this.elsewhere.inTurn(userId, roomId, async () => {
      if ((await USER_ROOMS.get(this.views, [userId, roomId])) !== undefined) return;
      await this.elsewhere.tell(userId, leaveOf(userId, room), cause);
    });
  }
}

/** No event that anybody signed: no more than what it says, under an id of its own. */
function leaveOf(userId: UserId, { roomId, roomVersion, position, at }: PurgedRoom): MembershipTold {
  const hash = createHash('sha256').update(`${userId} ${roomId} ${position}`).digest('base64url');
  const pdu = {
    content: { membership: 'leave' },
    origin_server_ts: at,
    sender: userId,
    state_key: userId,
    type: 'm.room.member',
  };
  return {
    room_id: roomId,
    room_version: roomVersion,
    membership: 'leave',
    event_id: `$${hash}` as EventId,
    pdu,
    state: [],
  };
}
