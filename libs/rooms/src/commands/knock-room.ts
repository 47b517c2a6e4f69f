import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { MembershipChanges } from './change-membership.js';

/**
 * Asks to be invited: client-server API, "Knocking on rooms". Throws M_FORBIDDEN (the join rule does not allow it, or the
 * user is in the room or banned from it).
 */
export class KnockRoom {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly reason?: string,
  ) {}
}

@CommandHandler(KnockRoom)
export class KnockRoomHandler implements ICommandHandler<KnockRoom> {
  constructor(private readonly memberships: MembershipChanges) {}

  async execute({ requester, roomId, reason }: KnockRoom): Promise<{ roomId: RoomId }> {
    await this.memberships.change(requester, roomId, {
      target: requester.userId,
      membership: 'knock',
      reason,
      check(before) {
        if (before === 'invite') throw new MatrixError('M_FORBIDDEN', 'You are invited to this room already');
      },
    });
    return { roomId };
  }
}
