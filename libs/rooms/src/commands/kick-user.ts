import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { MembershipChanges } from './change-membership.js';
import { checkIsThere } from './check-state.js';

/** Removes a user from a room: client-server API, "Leaving rooms". Throws M_FORBIDDEN. */
export class KickUser {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly userId: UserId,
    readonly reason?: string,
  ) {}
}

@CommandHandler(KickUser)
export class KickUserHandler implements ICommandHandler<KickUser> {
  constructor(private readonly memberships: MembershipChanges) {}

  async execute({ requester, roomId, userId, reason }: KickUser): Promise<void> {
    await this.memberships.change(requester, roomId, {
      target: userId,
      membership: 'leave',
      reason,
      check(before) {
        checkIsThere(before);
        if (before === 'ban')
          throw new MatrixError('M_FORBIDDEN', 'The user is banned; to let them come back is another request');
      },
    });
  }
}
