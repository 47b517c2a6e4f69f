import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { MembershipChanges } from './change-membership.js';
import { checkAcl, checkIsResident, lookFor } from './check-server.js';
import { invitationOfOffer, type ThirdPartySigned } from './third-party-invite.js';

/**
 * Makes of a pending invitation of a third-party identifier the invitation of a user, whose server asks for it: server-server API,
 * "Third-party invites". It is sent in the name of the user of this server who asked for it. Throws M_NOT_FOUND for a room that this
 * server is not in, and M_FORBIDDEN where there is no such invitation, or the signature of the identity server does not hold.
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
    private readonly memberships: MembershipChanges,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
  ) {}

  async execute({ origin, roomId, userId, signed }: ExchangeInvite): Promise<void> {
    const { serverName } = this.author;
    await checkIsResident(this.views, roomId, serverName);
    const { sender, content } = await lookFor(this.workers, roomId, origin, async (turn) => {
      await checkAcl(turn, origin);
      const invitation = await invitationOfOffer(turn, signed, serverName);
      await turn.authorise({ type: 'm.room.member', stateKey: userId, ...invitation });
      return invitation;
    });
    const { invitations } = this.memberships;
    if (invitations.isElsewhere(userId)) {
      await invitations.invite(roomId, sender, userId, content, { actor: origin });
      return;
    }
    const shown = await this.memberships.contentOf({ target: userId, membership: 'invite' });
    await this.workers.run(roomId, { actor: origin }, (turn) =>
      turn.send({ type: 'm.room.member', stateKey: userId, sender, content: { ...shown, ...content } }),
    );
  }
}
