import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import type { RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { findMembership } from '../reading/find-membership.js';
import { MembershipChanges } from './change-membership.js';
import { checkMayReject } from './check-may-reject.js';
import { MembershipsElsewhere } from './memberships-elsewhere.js';
import { StaysElsewhere } from './stays-elsewhere.js';

/**
 * Leaves a room, or declines an invitation, or takes a knock back: client-server API, "Leaving rooms". Leaving twice, or
 * after having been removed, is no error. Of a room that is not here another server is told, as `StaysElsewhere`. A join that is under way
 * comes first. Throws M_FORBIDDEN for a room the user was never in, and as `checkMayReject`.
 */
export class LeaveRoom {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly reason?: string,
    /** It follows from something else that the user leaves: that they do not want to is not asked. */
    readonly follows = false,
  ) {}
}

@CommandHandler(LeaveRoom)
export class LeaveRoomHandler implements ICommandHandler<LeaveRoom> {
  constructor(
    private readonly memberships: MembershipChanges,
    private readonly elsewhere: MembershipsElsewhere,
    private readonly stays: StaysElsewhere,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'notices'>,
  ) {}

  execute({ requester, roomId, reason, follows }: LeaveRoom): Promise<void> {
    return this.elsewhere.handshakes.inTurn(requester.userId, roomId, async () => {
      if (!follows) await checkMayReject(this.views, this.config.notices, requester.userId, roomId);
      const isIn = (await findMembership(this.views, roomId, requester.userId)) === 'join';
      if (!isIn && (await this.stays.leave(requester, roomId, reason))) return;
      const change = { target: requester.userId, membership: 'leave', reason, onlyOnce: true } as const;
      await this.memberships.change(requester, roomId, change);
    });
  }
}
