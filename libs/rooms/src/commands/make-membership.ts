import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { checkAcl, checkIsOf, checkIsResident, lookFor } from './check-server.js';
import { findAuthoriser, type NotVouched } from './join-authoriser.js';

/** What a user of another server becomes of a room by the word of that server, once this one has said how the event is to be. */
export type HandshakeMembership = 'join' | 'knock' | 'leave';

/**
 * Makes the member event that another server is to sign: server-server API, `make_join`, `make_knock`, `make_leave`. Nothing is written.
 * Throws M_NOT_FOUND for a room that this server is not in, M_FORBIDDEN, of a restricted room M_UNABLE_TO_AUTHORISE_JOIN (not all of the rooms that it
 * names are known here) and M_UNABLE_TO_GRANT_JOIN (nobody here may invite), and M_INCOMPATIBLE_ROOM_VERSION where the user may.
 */
export class MakeMembership {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    readonly userId: UserId,
    readonly membership: HandshakeMembership,
    /** The room versions that the other server knows; undefined where it need not. */
    readonly understood?: readonly string[],
  ) {}
}

/** What its server is to complete and sign. */
export interface MemberTemplate {
  readonly version: RoomVersion;
  readonly event: JsonObject;
}

@CommandHandler(MakeMembership)
export class MakeMembershipHandler implements ICommandHandler<MakeMembership> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
  ) {}

  async execute(command: MakeMembership): Promise<MemberTemplate> {
    const { origin, roomId, userId } = command;
    checkIsOf(userId, origin);
    await checkIsResident(this.views, roomId, this.author.serverName);
    return lookFor(this.workers, roomId, origin, (turn) => this.#make(turn, command));
  }

  async #make(turn: RoomTurn, command: MakeMembership): Promise<MemberTemplate> {
    const { origin, userId, membership, understood } = command;
    const { version } = turn.head;
    await checkAcl(turn, origin);
    const content = membership === 'join' ? await this.#contentOfJoin(turn, userId) : { membership };
    const { event } = await turn.decide({ type: 'm.room.member', stateKey: userId, sender: userId, content });
    // Of a room that its user may not be in it learns nothing, neither of which version it is.
    const { id } = version;
    if (understood !== undefined && !understood.includes(id)) {
      const fields = { room_version: id };
      throw new MatrixError('M_INCOMPATIBLE_ROOM_VERSION', `The room is of version ${id}`, { fields });
    }
    // For the other server to say, as it completes and signs the event.
    const { hashes: _, signatures: __, origin: ___, event_id: ____, ...template } = event.pdu;
    return { version, event: template };
  }

  async #contentOfJoin(turn: RoomTurn, userId: UserId): Promise<JsonObject> {
    const before = await turn.findMembership(userId);
    if (before === 'join' || before === 'invite' || before === 'ban') return { membership: 'join' };
    const found = await findAuthoriser(turn, this.views, userId, this.author.serverName);
    if ('authoriser' in found) return { membership: 'join', join_authorised_via_users_server: found.authoriser };
    const refusal = REFUSALS[found.why];
    if (refusal !== undefined) throw new MatrixError(refusal);
    return { membership: 'join' };
  }
}

/** What the rules refuse by themselves needs no word. */
const REFUSALS = {
  'not-restricted': undefined,
  unfulfilled: undefined,
  'unknown-rooms': 'M_UNABLE_TO_AUTHORISE_JOIN',
  'nobody-may-invite': 'M_UNABLE_TO_GRANT_JOIN',
} as const satisfies Record<NotVouched, string | undefined>;
