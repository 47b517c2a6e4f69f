import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { MembershipChanges } from './change-membership.js';

/** Bars a user from a room: client-server API, "Banning users in a room". Throws M_FORBIDDEN. */
export class BanUser {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly userId: UserId,
    readonly reason?: string,
  ) {}
}

@CommandHandler(BanUser)
export class BanUserHandler implements ICommandHandler<BanUser> {
  constructor(private readonly memberships: MembershipChanges) {}

  async execute({ requester, roomId, userId, reason }: BanUser): Promise<void> {
    await this.memberships.change(requester, roomId, {
      target: userId,
      membership: 'ban',
      reason,
    });
  }
}
