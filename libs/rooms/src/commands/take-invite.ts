import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { findAccount } from '#accounts/queries/find-account';
import { type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { RoomEvent } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { signEvent } from '#protocol/signing/sign-event';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { findPartial } from '../queries/partial-rooms.js';
import { findMembership } from '../reading/find-membership.js';
import { isServerIn } from '../reading/server-standing.js';
import type { WantedKey } from '../server-keys.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { checkAcl, checkIsOf, checkIsSealedBy, lookFor, refusalOf } from './check-server.js';
import { InvitePermissions } from './invite-permissions.js';
import { MembershipsElsewhere } from './memberships-elsewhere.js';
import { readStrippedState } from './read-stripped-state.js';
import { Receiving } from './receiving.js';

/**
 * Takes an invitation of a user here by a user of another server, and signs it: server-server API, "Inviting to a room". Where nobody of
 * this server is in the room, the user is told of it by what came with it; else it comes as any event of the room does.
 *
 * Throws M_INCOMPATIBLE_ROOM_VERSION, M_INVALID_PARAM and M_BAD_JSON for what is no such event, and M_FORBIDDEN where it is not signed, or
 * nobody is to be invited so, and M_INVITE_BLOCKED where the user does not want it, and M_LIMIT_EXCEEDED where too many servers invite them there. Where keys would help to check it, that is answered and nothing done.
 */
export class TakeInvite {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    /** As the other server calls it. */
    readonly eventId: string,
    readonly version: string,
    readonly pdu: JsonObject,
    /** What the user may know of the room: events of it, or what is left of them. */
    readonly roomState: readonly JsonValue[],
  ) {}
}

/** The event with the signature of this server, or keys that lack. */
export type InviteTaken = { readonly pdu: JsonObject } | { readonly wantedKeys: readonly WantedKey[] };

@CommandHandler(TakeInvite)
export class TakeInviteHandler implements ICommandHandler<TakeInvite> {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly receiving: Receiving,
    private readonly elsewhere: MembershipsElsewhere,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
    private readonly permissions: InvitePermissions,
  ) {}

  async execute(command: TakeInvite): Promise<InviteTaken> {
    const { origin, roomId, pdu } = command;
    const version = findRoomVersion(command.version);
    if (version === undefined) {
      throw new MatrixError('M_INCOMPATIBLE_ROOM_VERSION', undefined, { fields: { room_version: command.version } });
    }
    checkIsSealedBy(pdu, origin);
    const event = parseRoomEvent(pdu, version, roomId);
    const invited = this.#checkIsInvite(event, command);
    const wantedKeys = await this.#prepare(command, version);
    if (wantedKeys !== undefined) return { wantedKeys };
    if ((await findAccount(this.views, invited)) === undefined) await this.permissions.demand?.make(invited);
    const { serverName, signingKey } = this.author;
    const isHere = await isServerIn(this.views, roomId, serverName);
    await this.#checkMayBeInvited(invited, command, isHere);
    // The room decides once it has the event, and all else of it.
    if (isHere) await lookFor(this.workers, roomId, origin, (turn) => checkAcl(turn, origin), { isPartEnough: true });
    const state = isHere ? undefined : readStrippedState(command.roomState, { roomId, version }, invited);
    // Last: who may not invite them learns nothing of what they say of it.
    const isHeld = await this.permissions.check(event.sender, invited, event.content);
    const signed = signEvent(pdu, version, serverName, signingKey);
    // In a room that is here it is held once the room takes it (`Receiving`).
    if (isHeld && !isHere) await this.permissions.hold(roomId, event.sender, invited);
    if (state === undefined) return { pdu: signed };
    await this.#tell(invited, event, signed, state, command);
    return { pdu: signed };
  }

  /** Throws M_INVALID_PARAM for anything else: nothing else is signed. */
  #checkIsInvite({ eventId, type, sender, stateKey, content }: RoomEvent, command: TakeInvite): UserId {
    const is = (holds: boolean, what: string): void => {
      if (!holds) throw new MatrixError('M_INVALID_PARAM', `The event ${what}`);
    };
    is(eventId === command.eventId, `is ${eventId} and not ${command.eventId}`);
    is(type === 'm.room.member' && content['membership'] === 'invite', 'is no invitation');
    is(serverNameOf(stateKey as UserId) === this.author.serverName, 'invites nobody of this server');
    checkIsOf(sender, command.origin);
    return stateKey as UserId; // it ends with the name of this server
  }

  /** The form, signatures and hash. Answers keys that lack. Throws M_INVALID_PARAM and M_FORBIDDEN. */
  async #prepare({ origin, roomId, pdu }: TakeInvite, version: RoomVersion): Promise<readonly WantedKey[] | undefined> {
    const prepared = (await this.receiving.prepare([pdu], { roomId, version, origin }))[0]!;
    if (prepared.kind === 'dropped') {
      if (prepared.wantedKeys.length > 0) return prepared.wantedKeys;
      throw refusalOf(prepared);
    }
    if (prepared.isAltered === true) throw new MatrixError('M_INVALID_PARAM', 'The content hash does not hold');
    return undefined;
  }

  /**
   * `isHere`: the room decides, and would have the event without this server's signature: whoever it names is in it. Nobody else is told,
   * and who is in it only a server that is there too.
   */
  async #checkMayBeInvited(userId: UserId, { origin, roomId }: TakeInvite, isHere: boolean): Promise<void> {
    const account = await findAccount(this.views, userId);
    if ((account === undefined && !isHere) || account?.deactivated === true) {
      throw new MatrixError('M_FORBIDDEN', `Nobody is called ${userId} here`);
    }
    const isIn = (await findMembership(this.views, roomId, userId)) === 'join';
    // Of a room of which a part is here, that they were put out of it waits for the rest.
    const isPartial = (await findPartial(this.views, roomId)) !== undefined;
    if (isIn && !isPartial && (await isServerIn(this.views, roomId, origin))) {
      throw new MatrixError('M_FORBIDDEN', 'The user is already in the room');
    }
  }

  async #tell(
    userId: UserId,
    { eventId }: RoomEvent,
    signed: JsonObject,
    state: readonly JsonObject[],
    { origin, roomId, version }: TakeInvite,
  ): Promise<void> {
    const { unsigned: _, ...pdu } = signed;
    const told = { room_id: roomId, room_version: version, membership: 'invite', event_id: eventId, origin } as const;
    await this.elsewhere.invite(userId, { ...told, pdu, state }, { actor: origin });
  }
}
