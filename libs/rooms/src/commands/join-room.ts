import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { isUserId, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { HANDSHAKES } from '../projections/handshakes.projector.js';
import { refuseWhilePartial } from '../decide/refuse-while-partial.js';
import { whenWhole } from '../queries/partial-rooms.js';
import { findMembership } from '../reading/find-membership.js';
import { isServerIn } from '../reading/server-standing.js';
import type { RemoteJoin } from '../remote-rooms.js';
import { contextOf } from '../worker/requester-context.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { MEMBERSHIP_VIEWS, MembershipChanges, sendMembership } from './change-membership.js';
import { checkGuestMayJoin } from './guest-access.js';
import { JoinElsewhere } from './join-elsewhere.js';
import { authorisedJoin, type NotVouched } from './join-authoriser.js';
import { refuseJoinOfSuspended } from './refuse-suspended-in-room.js';
import { redeemThirdPartyInvite, type ThirdPartySigned, thirdPartySignedOf } from './third-party-invite.js';

/**
 * Joins a room: client-server API, "Joining rooms". Where nobody of this server is in it, and where nobody here can vouch for the join
 * of a restricted room, other servers are asked (`via`, and those that are known to be in it). Joining twice is no error. Throws
 * M_FORBIDDEN (also for a room that nobody who was asked has), M_GUEST_ACCESS_FORBIDDEN, M_USER_SUSPENDED, M_BAD_JSON, and as `RemoteRooms`.
 * `third_party_signed` in the content redeems a third-party invite first, which the server of who sent it does.
 * NOTSPEC: whatever else the request says becomes part of the member event, `reason` among it. Clients do so since 2015, and
 * could set the same event by PUT /state.
 */
export class JoinRoom {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly content: JsonObject = {},
    /** Servers that may be in the room, as the client says. */
    readonly via: readonly ServerName[] = [],
  ) {}
}

/** What the member event says: all of it, what the profile says of it, what the user says of it, what another server has signed. */
interface Wish {
  readonly content: JsonObject;
  readonly shown: JsonObject;
  readonly given: JsonObject;
  readonly signed: ThirdPartySigned | undefined;
}

@CommandHandler(JoinRoom)
export class JoinRoomHandler implements ICommandHandler<JoinRoom> {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly memberships: MembershipChanges,
    private readonly elsewhere: JoinElsewhere,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
    @Inject(CONFIG) private readonly config: Pick<Config, 'notices'>,
  ) {}

  async execute(command: JoinRoom): Promise<{ roomId: RoomId }> {
    const { requester, roomId, content } = command;
    await refuseJoinOfSuspended(this.views, this.config.notices, requester, roomId, content);
    return this.elsewhere.handshakes.inTurn(requester.userId, roomId, () => this.#join(command));
  }

  async #join({ requester, roomId, content: wanted, via }: JoinRoom): Promise<{ roomId: RoomId }> {
    const shown = await this.memberships.contentOf({ target: requester.userId, membership: 'join' });
    const given = ownWords(wanted);
    const content = { ...shown, ...given };
    const { signed, inviter } = await this.#exchange(requester, roomId, wanted);
    const wish = { content, shown, given, signed };
    const servers = inviter === undefined ? via : [inviter, ...via];
    const joinElsewhere = () => this.elsewhere.join(requester, roomId, content, servers);
    // Of an invitation that another server has just made the room may not have heard here.
    const isHere = inviter === undefined && (await isServerIn(this.views, roomId, this.author.serverName));
    const joined =
      (isHere ? undefined : await joinElsewhere()) ?? (await this.#joinHere(requester, roomId, wish, joinElsewhere));
    const { position } = joined;
    if (position === undefined) return { roomId };
    await this.views.whenProcessed(position, [...MEMBERSHIP_VIEWS, HANDSHAKES.name]);
    await this.elsewhere.handshakes.endAll(requester, roomId);
    await this.memberships.tellNewerProfile(requester, roomId, shown, given);
    return { roomId };
  }

  /**
   * What redeems an invitation by address. Where somebody of another server sent that, `inviter` has made it one of the user, and nothing is left to
   * redeem.
   */
  async #exchange(
    { userId }: Requester,
    roomId: RoomId,
    content: JsonObject,
  ): Promise<Pick<Wish, 'signed'> & { inviter?: ServerName }> {
    const signed = thirdPartySignedOf(content);
    const sender = signed?.signed['sender'];
    if (signed === undefined || typeof sender !== 'string' || !isUserId(sender)) return { signed };
    const inviter = serverNameOf(sender);
    if (inviter === this.author.serverName) return { signed };
    if ((await findMembership(this.views, roomId, userId)) === 'join') return { signed: undefined };
    await this.elsewhere.exchange(inviter, { roomId, sender, userId, signed: signed.signed });
    return { signed: undefined, inviter };
  }

  async #joinHere(
    requester: Requester,
    roomId: RoomId,
    { content, shown, signed }: Wish,
    joinElsewhere: () => Promise<RemoteJoin | undefined>,
  ): Promise<RemoteJoin> {
    const { userId } = requester;
    const { serverName } = this.author;
    let notVouched: NotVouched | undefined;
    try {
      return await whenWhole(this.views, roomId, () =>
        this.workers.run(roomId, contextOf(requester), async (turn) => {
          if ((await turn.findMembership(userId)) === 'join') return;
          refuseWhilePartial(turn.head, { type: 'm.room.member', sender: userId, stateKey: userId, content });
          if (signed !== undefined) await redeemThirdPartyInvite(turn, userId, signed, shown, serverName);
          const before = await turn.findState('m.room.member', userId);
          const vouched = await authorisedJoin(turn, this.views, userId, content, serverName);
          ({ notVouched } = vouched);
          await turn.authorise({ type: 'm.room.member', stateKey: userId, sender: userId, content: vouched.content });
          // Only then: that a room is closed to guests is not for those to know who may not enter it anyway.
          await checkGuestMayJoin(turn, requester);
          await sendMembership(turn, userId, userId, vouched.content, before);
        }),
      );
    } catch (error) {
      const isRefused = error instanceof MatrixError && error.errcode === 'M_FORBIDDEN';
      const mayVouchElsewhere = notVouched === 'unknown-rooms' || notVouched === 'nobody-may-invite';
      const joined = isRefused && mayVouchElsewhere ? await joinElsewhere() : undefined;
      if (joined === undefined) throw error;
      return joined;
    }
  }
}

/** What the user may say about the join: nothing of who vouches for it, which servers sign (`authorisedJoin`). */
function ownWords(content: JsonObject): JsonObject {
  const { membership: _, third_party_signed: __, join_authorised_via_users_server: ___, ...rest } = content;
  return rest;
}
