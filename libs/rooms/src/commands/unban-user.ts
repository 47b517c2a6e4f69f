import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { MembershipChanges } from './change-membership.js';

/** Lets a banned user come back: client-server API, "Banning users in a room". Throws M_FORBIDDEN. */
export class UnbanUser {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly userId: UserId,
    readonly reason?: string,
  ) {}
}

@CommandHandler(UnbanUser)
export class UnbanUserHandler implements ICommandHandler<UnbanUser> {
  constructor(private readonly memberships: MembershipChanges) {}

  async execute({ requester, roomId, userId, reason }: UnbanUser): Promise<void> {
    await this.memberships.change(requester, roomId, {
      target: userId,
      membership: 'leave',
      reason,
      check(before) {
        if (before !== 'ban') throw new MatrixError('M_FORBIDDEN', 'The user is not banned');
      },
    });
  }
}
