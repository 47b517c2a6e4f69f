import { randomUUID } from 'node:crypto';
import { Inject, Optional } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { DeviceId, RoomId, ServerName, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import type { InviteKey } from '#protocol/event-auth/third-party-invite';
import { ADDRESS_INVITATIONS, type AddressInvitations } from '../address-invitations.js';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { MembershipChanges } from './change-membership.js';
import { checkAcl, checkIsOf, checkIsResident, lookFor } from './check-server.js';
import { invitationOfOffer, type ThirdPartySigned } from './third-party-invite.js';

/**
 * Makes of a pending invitation of a third-party identifier the invitation of a user, whose server asks for it, this one or another: server-server API,
 * "Third-party invites". It is sent in the name of the user of this server who asked for it, who may have left since. Throws M_NOT_FOUND for a room that this
 * server is not in, and M_FORBIDDEN where there is no such invitation, the signature of the identity server does not hold or its key holds no more, or the
 * user is of another server than the one that asks, or in the room; PeerUnavailable where nobody says whether the key holds, and M_SERVER_NOT_TRUSTED
 * where the operator does not let that be asked there; and as `InvitationsElsewhere` and `MembershipChanges`.
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
    @Optional() @Inject(ADDRESS_INVITATIONS) private readonly addresses?: AddressInvitations,
  ) {}

  async execute({ origin, roomId, userId, signed }: ExchangeInvite): Promise<void> {
    const { serverName } = this.author;
    checkIsOf(userId, origin);
    await checkIsResident(this.views, roomId, serverName);
    const { sender, content, key } = await lookFor(this.workers, roomId, origin, async (turn) => {
      await checkAcl(turn, origin);
      const invitation = await invitationOfOffer(turn, userId, signed, serverName);
      const { sender: by, content: said } = invitation;
      await turn.authorise({ type: 'm.room.member', stateKey: userId, sender: by, content: said });
      return invitation;
    });
    await this.#checkKey(key);
    const { invitations } = this.memberships;
    if (invitations.isElsewhere(userId)) {
      await invitations.invite(roomId, sender, userId, content, { actor: origin }, true);
      return;
    }
    const requester = { userId: sender, deviceId: '' as DeviceId, isAdmin: false, requestId: randomUUID() };
    const invited = { target: userId, membership: 'invite', content, wasOffered: true } as const;
    await this.memberships.change(requester, roomId, invited);
  }

  /** Client-server API, "Third-party invites": whoever lets a server in by an invitation asks whether its key was taken back. */
  async #checkKey(key: InviteKey | undefined): Promise<void> {
    const { publicKey, validityUrl } = key ?? {};
    if (publicKey === undefined || validityUrl === undefined || this.addresses === undefined) return;
    if (await this.addresses.isKeyValid(validityUrl, publicKey)) return;
    throw new MatrixError('M_FORBIDDEN', 'The key of the third-party invite does not hold');
  }
}
