import { Inject } from '@nestjs/common';
import { CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { authorisingServerOf } from '#protocol/event-auth/check-auth-events';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { openEvent } from '#protocol/signing/open-event';
import { signEvent } from '#protocol/signing/sign-event';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import type { WantedKey } from '../server-keys.js';
import { RoomWorkers } from '../worker/room-workers.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { checkAcl, checkIsOf, checkIsResident, checkIsSealedBy, lookFor, refusalOf } from './check-server.js';
import { findAuthoriser } from './join-authoriser.js';
import type { HandshakeMembership } from './make-membership.js';
import { ReceivePdus } from './receive-pdus.js';
import type { Receipt } from './receiving.js';

/**
 * Takes the member event of a user of another server, as that server signed it: server-server API, `send_join`, `send_knock`,
 * `send_leave`. Of the join of a restricted room that this server authorises, it adds its signature. The event is received as any other,
 * and it is for this server to tell the others in the room.
 *
 * Throws M_NOT_FOUND for a room that this server is not in, M_INVALID_PARAM and M_BAD_JSON for an event that is not of that kind, and
 * M_FORBIDDEN where it is not signed, or the room does not let it in. Where keys would help to check it, that is answered and nothing done.
 */
export class TakeMembership {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    /** As the other server calls it. */
    readonly eventId: string,
    readonly membership: HandshakeMembership,
    readonly pdu: JsonObject,
  ) {}
}

/** The event is part of the room, or lacks keys to be checked with. */
export type MembershipTaken = TakenMembership | { readonly wantedKeys: readonly WantedKey[] };

export interface TakenMembership {
  readonly eventId: EventId;
  readonly version: RoomVersion;
  /** As it was received, with all signatures. */
  readonly pdu: JsonObject;
  /** Up to where the facts are; undefined where it was here before. */
  readonly position: Position | undefined;
}

@CommandHandler(TakeMembership)
export class TakeMembershipHandler implements ICommandHandler<TakeMembership> {
  constructor(
    private readonly bus: CommandBus,
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
  ) {}

  async execute(command: TakeMembership): Promise<MembershipTaken> {
    const { origin, roomId } = command;
    await checkIsResident(this.views, roomId, this.author.serverName);
    const { version, eventId, pdu } = await this.#check(command);
    const receive = new ReceivePdus(origin, roomId, [pdu], { isToHandOn: true });
    const { received, position } = await this.bus.execute<ReceivePdus, Receipt>(receive);
    const [taken] = received;
    switch (taken?.kind) {
      case 'accepted':
        return { version, eventId, pdu, position };
      case 'known':
        if (taken.outcome !== 'accepted')
          throw new MatrixError('M_FORBIDDEN', `The event ${eventId} was refused before`);
        return { version, eventId, pdu, position };
      case 'dropped':
        if (taken.wantedKeys.length > 0) return { wantedKeys: taken.wantedKeys };
        throw refusalOf(taken);
      case 'missing':
        throw new MatrixError('M_INVALID_PARAM', 'The event does not stand on what was told to stand on');
      default:
        throw new MatrixError('M_FORBIDDEN', taken !== undefined && 'reason' in taken ? taken.reason : undefined);
    }
  }

  /** What does not depend on the event's place in the room; the event with the signature of this server where it needs that. */
  #check(command: TakeMembership): Promise<Omit<TakenMembership, 'position'>> {
    const { origin, roomId, pdu } = command;
    const { serverName, signingKey } = this.author;
    return lookFor(this.workers, roomId, origin, async (turn) => {
      const { version } = turn.head;
      await checkAcl(turn, origin);
      checkIsSealedBy(pdu, origin);
      const opened = openEvent(pdu, version);
      const event = parseRoomEvent(pdu, version, roomId, opened);
      checkIsAsked(event, command);
      // What is left of an event is taken where it comes from its sender's server: this one is made now, and whole.
      if (!opened.hasContentHash) throw new MatrixError('M_INVALID_PARAM', 'The content hash does not hold');
      const { eventId, sender } = event;
      if (authorisingServerOf(event, version) !== serverName) return { version, eventId, pdu };
      await this.#checkConditions(turn, sender);
      return { version, eventId, pdu: signEvent(pdu, version, serverName, signingKey) };
    });
  }

  /** Throws M_FORBIDDEN where this server does not vouch for a join: it did when it made the event, perhaps. */
  async #checkConditions(turn: RoomTurn, userId: UserId): Promise<void> {
    const before = await turn.findMembership(userId);
    if (before === 'join' || before === 'invite') return;
    const found = await findAuthoriser(turn, this.views, userId, this.author.serverName);
    if ('authoriser' in found || found.why === 'not-restricted') return;
    throw new MatrixError('M_FORBIDDEN', 'The conditions to join this room are not fulfilled');
  }
}

/** Throws M_INVALID_PARAM for another event than was asked for, M_FORBIDDEN for somebody who is not of the server. */
function checkIsAsked(event: RoomEvent, { origin, eventId, membership }: TakeMembership): void {
  const { type, sender, stateKey, content } = event;
  const is = (holds: boolean, what: string): void => {
    if (!holds) throw new MatrixError('M_INVALID_PARAM', `The event ${what}`);
  };
  is(event.eventId === eventId, `is ${event.eventId} and not ${eventId}`);
  is(type === 'm.room.member', 'is no member event');
  is(content['membership'] === membership, `is no ${membership}`);
  is(stateKey === sender, 'is not of its sender');
  checkIsOf(sender, origin);
}
