import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { MembershipChanges } from './change-membership.js';

/**
 * Leaves a room, or declines an invitation, or takes a knock back: client-server API, "Leaving rooms". Leaving twice, or
 * after having been removed, is no error. Throws M_FORBIDDEN for a room the user was never in.
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
  constructor(private readonly memberships: MembershipChanges) {}

  async execute({ requester, roomId, reason }: LeaveRoom): Promise<void> {
    const change = { target: requester.userId, membership: 'leave', reason, onlyOnce: true } as const;
    await this.memberships.change(requester, roomId, change);
  }
}
