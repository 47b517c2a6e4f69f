import type { Cause } from '#event-store/aggregates';
import { draftOf, type FactDraft } from '#event-store/seal-facts';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { HandshakeBegun, HandshakeEnded, HandshakeMembership } from '../facts/elsewhere-facts.js';
import { HANDSHAKES, type HandshakeRow } from '../projections/handshakes.projector.js';
import type { GivenMember } from '../remote-rooms.js';
import { contextOf } from '../worker/requester-context.js';

/** An event that another server was given and may have taken, of which nothing is known here. */
export interface OpenHandshake extends GivenMember {
  readonly membership: HandshakeMembership;
}

/** More are open only while servers do not answer; invitations that a user sends are among them. */
const MOST_OPEN = 1_000;

/**
 * What is between a server that is given an event of a user here and the log, which hears only afterwards that it was taken: noted
 * before, so that nothing stands there alone. What follows is in turns: one user does one thing at a time in a room.
 */
export class Handshakes {
  readonly #turns = new KeyedQueue<string>();
  /** Those that are open and are to come to nothing, because their user was told so. */
  readonly #givenUp = new Set<EventId>();

  constructor(
    private readonly views: Views,
    private readonly append: (userId: UserId, draft: FactDraft, cause: Cause) => Promise<Position>,
  ) {}

  /** Runs what changes a membership of a room after whatever changes it already: the user's own, or that of whom they invite. */
  inTurn<T>(userId: UserId, roomId: RoomId, task: () => Promise<T>, target = userId): Promise<T> {
    return this.#turns.run(`${userId} ${roomId} ${target}`, task);
  }

  /**
   * Has a user let into a room: `ask` is given what notes each event before a server is given it. Where it throws, whatever was noted
   * is to come to nothing, which is found out with the servers afterwards (`SettleHandshake`).
   */
  async run<T>(
    { requester, roomId, membership }: { requester: Requester; roomId: RoomId; membership: HandshakeMembership },
    ask: (beforeGiven: (given: GivenMember) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    const begun: EventId[] = [];
    try {
      return await ask(async (given) => {
        begun.push(given.eventId);
        await this.begin(requester.userId, roomId, { ...given, membership }, contextOf(requester));
      });
    } catch (error) {
      for (const eventId of begun) this.#givenUp.add(eventId);
      throw error;
    }
  }

  /** Notes an event that a server is about to be given. Settles once the views show it. */
  async begin(userId: UserId, roomId: RoomId, handshake: OpenHandshake, cause: Cause): Promise<void> {
    const { eventId, membership, version, server, pdu } = handshake;
    const room = { room_id: roomId, room_version: version.id };
    const data: HandshakeBegun = { ...room, membership, event_id: eventId, server, pdu };
    await this.#note(userId, draftOf({ type: 'handshake-begun', data }), cause);
  }

  /** Notes that one came to nothing, or is over. */
  async end(userId: UserId, roomId: RoomId, eventId: EventId, cause: Cause): Promise<void> {
    const data: HandshakeEnded = { room_id: roomId, event_id: eventId };
    await this.#note(userId, draftOf({ type: 'handshake-ended', data }), cause);
    this.#givenUp.delete(eventId);
  }

  /** Notes that what is open of the user's own membership of a room is over. */
  async endAll(requester: Requester, roomId: RoomId): Promise<void> {
    const { userId } = requester;
    for (const { eventId } of await this.list(userId, roomId)) {
      await this.end(userId, roomId, eventId, contextOf(requester));
    }
  }

  /** Has one come to nothing, once its server can be asked. */
  giveUp({ eventId }: OpenHandshake): void {
    this.#givenUp.add(eventId);
  }

  /** Whether it is to come to nothing. */
  isGivenUp({ eventId }: OpenHandshake): boolean {
    return this.#givenUp.has(eventId);
  }

  async find(userId: UserId, roomId: RoomId, eventId: EventId): Promise<OpenHandshake | undefined> {
    const row = await HANDSHAKES.get(this.views, [userId, roomId, eventId]);
    if (row === undefined) this.#givenUp.delete(eventId);
    return row && openOf(eventId, row);
  }

  /** Those of a user's own membership of a room. */
  async list(userId: UserId, roomId: RoomId): Promise<OpenHandshake[]> {
    const rows = await HANDSHAKES.scan(this.views, { prefix: [userId, roomId], limit: MOST_OPEN });
    const open = rows.map(({ key: [, , eventId], value }) => openOf(eventId, value));
    return open.filter(({ membership }) => membership !== 'invite');
  }

  /** The rooms in which a user has any of their own membership. */
  async rooms(userId: UserId): Promise<RoomId[]> {
    const rows = await HANDSHAKES.scan(this.views, { prefix: [userId], limit: MOST_OPEN });
    return rows.filter(({ value }) => value.membership !== 'invite').map(({ key: [, roomId] }) => roomId);
  }

  async #note(userId: UserId, draft: FactDraft, cause: Cause): Promise<void> {
    const position = await this.append(userId, draft, cause);
    await this.views.whenProcessed(position, [HANDSHAKES.name]);
  }
}

function openOf(eventId: EventId, { membership, room_version, server, pdu }: HandshakeRow): OpenHandshake {
  const version = findRoomVersion(room_version);
  if (version === undefined) throw new Error(`there is no room version ${room_version}`);
  return { eventId, membership, version, server, pdu };
}
