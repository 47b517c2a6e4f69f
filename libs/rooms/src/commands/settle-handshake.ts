import { Inject, Optional } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { findAccount } from '#accounts/queries/find-account';
import type { EventId, RoomId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused } from '#kernel/peer-errors';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { HANDSHAKES } from '../projections/handshakes.projector.js';
import { findMembership } from '../reading/find-membership.js';
import { REMOTE_ROOMS, type RemoteRooms } from '../remote-rooms.js';
import { contextOf } from '../worker/requester-context.js';
import { MEMBERSHIP_VIEWS } from './change-membership.js';
import type { OpenHandshake } from './handshakes.js';
import { InvitationsElsewhere } from './invite-elsewhere.js';
import { tellKnock } from './knock-room.js';
import { MembershipsElsewhere } from './memberships-elsewhere.js';
import { StaysElsewhere } from './stays-elsewhere.js';

/**
 * Finds out what became of an event of a user here that another server was given: it may have taken it, and nobody here knows. One that a
 * process left open is finished, as if it had never ended: the server is given it once more, for who has an event takes it for done. What
 * does not do that way, and whatever the user was told has failed, is ended: the user leaves there. Waits for one that is under way here.
 * Answers whether there was anything to do. Throws M_UNKNOWN, with status 502, where no server could be asked.
 */
export class SettleHandshake {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly eventId: EventId,
  ) {}
}

@CommandHandler(SettleHandshake)
export class SettleHandshakeHandler implements ICommandHandler<SettleHandshake> {
  constructor(
    private readonly elsewhere: MembershipsElsewhere,
    private readonly stays: StaysElsewhere,
    private readonly invitations: InvitationsElsewhere,
    @Inject(VIEWS) private readonly views: Views,
    @Optional() @Inject(REMOTE_ROOMS) private readonly others?: RemoteRooms,
  ) {}

  async execute({ requester, roomId, eventId }: SettleHandshake): Promise<boolean> {
    const { userId } = requester;
    const { handshakes } = this.elsewhere;
    const found = await handshakes.find(userId, roomId, eventId);
    if (found?.membership === 'invite') return this.invitations.settle(roomId, found, contextOf(requester));
    return handshakes.inTurn(userId, roomId, async () => {
      const open = await handshakes.find(userId, roomId, eventId);
      if (open === undefined) return false;
      if ((await findMembership(this.views, roomId, userId)) === 'join') await handshakes.endAll(requester, roomId);
      else if ((await this.#isGivenUp(requester, roomId, open)) || !(await this.#isFinished(requester, roomId, open)))
        await this.stays.leave(requester, roomId);
      return true;
    });
  }

  async #isGivenUp({ userId }: Requester, roomId: RoomId, open: OpenHandshake): Promise<boolean> {
    const { handshakes } = this.elsewhere;
    if (handshakes.isGivenUp(open)) return true;
    if ((await handshakes.list(userId, roomId)).some(({ membership }) => membership === 'leave')) return true;
    const account = await findAccount(this.views, userId);
    // Whether the room welcomes guests is looked at as they come in, and not again.
    return account?.deactivated === true || account?.guest === true;
  }

  /** Whether the server has it, and so has this one. */
  async #isFinished(requester: Requester, roomId: RoomId, made: OpenHandshake): Promise<boolean> {
    const content = isJsonObject(made.pdu['content']) ? made.pdu['content'] : {};
    const wish = { requester, roomId, content, servers: [], made };
    try {
      if (made.membership === 'join') {
        const joined = await this.others?.join(wish);
        if (joined === undefined) return false;
        const { position } = joined;
        if (position !== undefined) await this.views.whenProcessed(position, [...MEMBERSHIP_VIEWS, HANDSHAKES.name]);
      } else {
        const knock = await this.others?.knock(wish);
        if (knock === undefined) return false;
        await tellKnock(this.elsewhere, requester, roomId, knock);
      }
    } catch (error) {
      if (error instanceof MatrixError || error instanceof PeerRefused) return false;
      throw error;
    }
    await this.elsewhere.handshakes.endAll(requester, roomId);
    return true;
  }
}
