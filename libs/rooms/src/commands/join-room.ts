import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { contextOf } from '../worker/requester-context.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { MEMBERSHIP_VIEWS, MembershipChanges, sendMembership } from './change-membership.js';
import { checkGuestMayJoin } from './guest-access.js';
import { authorisedJoin } from './join-authoriser.js';
import { redeemThirdPartyInvite, thirdPartySignedOf } from './third-party-invite.js';

/**
 * Joins a room of this server: client-server API, "Joining rooms". Joining twice is no error. Throws M_FORBIDDEN
 * (also for a room that this server does not have), M_GUEST_ACCESS_FORBIDDEN, M_BAD_JSON.
 * `third_party_signed` in the content redeems a third-party invite first.
 * NOTSPEC: whatever else the request says becomes part of the member event, `reason` among it. Clients do so since 2015, and
 * could set the same event by PUT /state.
 */
export class JoinRoom {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly content: JsonObject = {},
  ) {}
}

@CommandHandler(JoinRoom)
export class JoinRoomHandler implements ICommandHandler<JoinRoom> {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly memberships: MembershipChanges,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
  ) {}

  async execute({ requester, roomId, content: wanted }: JoinRoom): Promise<{ roomId: RoomId }> {
    const { userId } = requester;
    const shown = await this.memberships.contentOf({ target: userId, membership: 'join' });
    const given = ownWords(wanted);
    const content = { ...shown, ...given };
    const signed = thirdPartySignedOf(wanted);
    const { position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      if ((await turn.findMembership(userId)) === 'join') return;
      if (signed !== undefined) await redeemThirdPartyInvite(turn, userId, signed, shown, this.author.serverName);
      const before = await turn.findState('m.room.member', userId);
      const vouched = await authorisedJoin(turn, this.views, userId, content);
      await turn.authorise({ type: 'm.room.member', stateKey: userId, sender: userId, content: vouched });
      // Only then: that a room is closed to guests is not for those to know who may not enter it anyway.
      await checkGuestMayJoin(turn, requester);
      await sendMembership(turn, userId, userId, vouched, before);
    });
    if (position === undefined) return { roomId };
    await this.views.whenProcessed(position, MEMBERSHIP_VIEWS);
    await this.memberships.tellNewerProfile(requester, roomId, shown, given);
    return { roomId };
  }
}

/** What the user may say about the join (`authorisedJoin` sees to what the server vouches for). */
function ownWords(content: JsonObject): JsonObject {
  const { membership: _, third_party_signed: __, ...rest } = content;
  return rest;
}
