import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import type { RoomId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { checkIsLocal } from '../decide/check-new-room.js';
import { MembershipChanges } from './change-membership.js';

/**
 * Asks a user into a room: client-server API, "Joining rooms". Throws M_FORBIDDEN. Users of other servers
 * cannot be asked before this server federates: M_FORBIDDEN.
 */
export class InviteUser {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly userId: UserId,
    readonly reason?: string,
  ) {}
}

@CommandHandler(InviteUser)
export class InviteUserHandler implements ICommandHandler<InviteUser> {
  constructor(
    private readonly memberships: MembershipChanges,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async execute({ requester, roomId, userId, reason }: InviteUser): Promise<void> {
    checkIsLocal(userId, this.config.serverName);
    await this.memberships.change(requester, roomId, { target: userId, membership: 'invite', reason });
  }
}
