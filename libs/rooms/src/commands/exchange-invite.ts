import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { checkAcl, checkIsOf, checkIsResident, lookFor } from './check-server.js';
import { InvitationsElsewhere } from './invite-elsewhere.js';
import { invitationOfOffer, type ThirdPartySigned } from './third-party-invite.js';

/**
 * Makes of a pending invitation of a third-party identifier the invitation of a user, whose server asks for it: server-server API,
 * "Third-party invites". It is sent in the name of the user of this server who asked for it. Throws M_NOT_FOUND for a room that this
 * server is not in, and M_FORBIDDEN where there is no such invitation, the signature of the identity server does not hold, or the user is
 * of another server than the one that asks, or in the room; and as `InvitationsElsewhere`.
 */
export class ExchangeInvite {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    readonly userId: UserId,
    readonly signed: ThirdPartySigned,
  ) {}
}

@CommandHandler(ExchangeInvite)
export class ExchangeInviteHandler implements ICommandHandler<ExchangeInvite> {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly invitations: InvitationsElsewhere,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
  ) {}

  async execute({ origin, roomId, userId, signed }: ExchangeInvite): Promise<void> {
    const { serverName } = this.author;
    checkIsOf(userId, origin);
    await checkIsResident(this.views, roomId, serverName);
    const { sender, content } = await lookFor(this.workers, roomId, origin, async (turn) => {
      await checkAcl(turn, origin);
      const invitation = await invitationOfOffer(turn, signed, serverName);
      await turn.authorise({ type: 'm.room.member', stateKey: userId, ...invitation });
      return invitation;
    });
    await this.invitations.invite(roomId, sender, userId, content, { actor: origin });
  }
}
