import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { MembershipChanges } from './change-membership.js';

/**
 * Asks a user into a room: client-server API, "Joining rooms". Throws M_FORBIDDEN, M_INVITE_BLOCKED, and of a user of another server what
 * that says against it.
 */
export class InviteUser {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly userId: UserId,
    readonly reason?: string,
    /** Into a one-to-one chat. */
    readonly isDirect = false,
  ) {}
}

@CommandHandler(InviteUser)
export class InviteUserHandler implements ICommandHandler<InviteUser> {
  constructor(private readonly memberships: MembershipChanges) {}

  async execute({ requester, roomId, userId, reason, isDirect }: InviteUser): Promise<void> {
    const content = isDirect ? { is_direct: true } : {};
    await this.memberships.change(requester, roomId, { target: userId, membership: 'invite', reason, content });
  }
}
