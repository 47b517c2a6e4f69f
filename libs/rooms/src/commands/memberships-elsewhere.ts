import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { draftOf, type FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import { type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { KeyedQueue } from '#kernel/keyed-queue';
import { MatrixError } from '#kernel/matrix-error';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { elsewhereStream, type MembershipTold, type StaysEnded } from '../facts/elsewhere-facts.js';
import { ELSEWHERE, type ElsewhereRow } from '../projections/elsewhere-rows.js';
import { KEPT_MEMBERSHIPS, type KeptMembershipRow, tellerOf } from '../projections/kept-memberships.projector.js';
import { HANDSHAKES } from '../projections/handshakes.projector.js';
import { USER_ROOMS, type UserRoomRow } from '../projections/membership.projector.js';
import { contentOfRow, parseRow, rowHeaderOf } from '../projections/timeline-row.js';
import { Handshakes } from './handshakes.js';

/** What a user is in a room that is not here. */
export interface PlaceElsewhere extends UserRoomRow {
  readonly roomVersion: string;
  /** Those who told it, and that of whoever invited: their word ends it. */
  readonly tellers: readonly ServerName[];
  /** Those who may let the user in: first these, then those of the times before. Anybody can invite, also who is not in the room. */
  readonly servers: readonly ServerName[];
  /** Where it is open: what they are there besides by the word of other servers, the oldest invitation first. */
  readonly beside: readonly MembershipTold[];
}

/** So many servers may invite a user to one room at once, besides the first. */
const MOST_BESIDE = 8;

/** So many times are looked at for servers that may let a user in. */
const MOST_TOLD = 8;

const CAPACITY = 1_000;

/** The views that show what is noted. */
const SHOWN: readonly string[] = [USER_ROOMS.name, HANDSHAKES.name, KEPT_MEMBERSHIPS.name];

/** What users of this server are in rooms that are not here: a stream for each of them, and how they stand now in the views. */
@Injectable()
export class MembershipsElsewhere {
  /** Nothing of a stream is needed to decide, only where it ends. */
  readonly #streams: Aggregates<null>;
  readonly #turns = new KeyedQueue<string>();
  /** What other servers were given to let them into rooms. */
  readonly handshakes: Handshakes;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    const end = { initialState: null, evolve: () => null, newestOnly: true } as const;
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...end });
    this.handshakes = new Handshakes(views, (userId, draft, cause) => this.#append(userId, [draft], cause));
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** What a user is in a room that is not here; undefined where there is no such thing, also where the room itself says what they are. */
  async find(userId: UserId, roomId: RoomId): Promise<PlaceElsewhere | undefined> {
    const place = await USER_ROOMS.get(this.views, [userId, roomId]);
    if (place?.elsewhere !== true) return undefined;
    const rows = await ELSEWHERE.scan(this.views, { prefix: [userId, roomId], reverse: true, limit: MOST_TOLD });
    const [last, ...before] = rows.map(({ value }) => value);
    if (last === undefined) return undefined;
    const tellers = tellersOf(last);
    const beside = isOpen(place) ? await this.#beside(userId, roomId, place.pos) : [];
    const besideThem = beside.map((told) => tellerOf(told, userId));
    const servers = new Set([...tellers, ...besideThem, ...before.flatMap(tellersOf)]);
    return { ...place, roomVersion: last.room_version, tellers, servers: [...servers], beside };
  }

  /**
   * Notes an invitation. One that the user is shown stays so until its own server ends it, for any server can tell one: that of another
   * server is kept beside it. Throws M_LIMIT_EXCEEDED where too many are.
   */
  invite(userId: UserId, told: MembershipTold, cause: Cause): Promise<void> {
    return this.inTurn(userId, told.room_id, async () => {
      const place = await this.find(userId, told.room_id);
      const server = tellerOf(told, userId);
      const isTold = place?.membership === 'invite' && place.event_id === told.event_id;
      if (isTold || place?.beside.some(({ event_id: id }) => id === told.event_id) === true) return;
      const beside = (place?.beside ?? []).filter((one) => tellerOf(one, userId) !== server);
      if (place?.membership === 'invite' && !place.tellers.includes(server)) {
        if (beside.length >= MOST_BESIDE) throw new MatrixError('M_LIMIT_EXCEEDED');
        return this.#keep(userId, told, cause);
      }
      const knock = place?.membership === 'knock' ? [await this.#toldAt(userId, place, told.room_id)] : [];
      await this.tell(userId, told, cause, [...beside, ...knock]);
    });
  }

  /** Notes by the word of a server that an invitation, or a knock, is over: of it alone. */
  end(userId: UserId, told: MembershipTold, cause: Cause): Promise<void> {
    return this.inTurn(userId, told.room_id, async () => {
      const server = tellerOf(told, userId);
      const place = await this.find(userId, told.room_id);
      if (place === undefined || !isOpen(place)) return;
      if (!place.tellers.includes(server)) return this.#keep(userId, told, cause);
      const [next, ...others] = place.beside;
      await this.tell(userId, next ?? told, cause, others);
    });
  }

  /** Runs what decides upon what a user is in a room that is not here after whatever does so already. */
  inTurn(userId: UserId, roomId: RoomId, task: () => Promise<void>): Promise<void> {
    return this.#turns.run(`${userId} ${roomId}`, task);
  }

  /** Notes what a user is now, and what besides. Settles once the views show it. */
  async tell(
    userId: UserId,
    told: MembershipTold,
    cause: Cause,
    beside: readonly MembershipTold[] = [],
  ): Promise<void> {
    const kept = beside.map((data) => draftOf({ type: 'membership-kept', data }));
    const position = await this.#append(userId, [draftOf({ type: 'membership-told', data: told }), ...kept], cause);
    await this.views.whenProcessed(position, SHOWN);
  }

  async #keep(userId: UserId, data: MembershipTold, cause: Cause): Promise<void> {
    const position = await this.#append(userId, [draftOf({ type: 'membership-kept', data })], cause);
    await this.views.whenProcessed(position, SHOWN);
  }

  async #append(userId: UserId, drafts: readonly FactDraft[], cause: Cause): Promise<Position> {
    return (await this.#streams.execute(elsewhereStream(userId), () => drafts, cause)).position;
  }

  /**
   * Lets go of all that is kept of a user whose account is closed, here and in the log. Answers whether there was anything. Done again
   * where it was done by half.
   */
  close(userId: UserId, cause: Cause): Promise<boolean> {
    const over = draftOf({ type: 'stays-ended', data: {} satisfies StaysEnded });
    const whenShown = (position: Position): Promise<void> => this.views.whenProcessed(position, SHOWN);
    return this.#streams.end(elsewhereStream(userId), over, cause, whenShown);
  }

  /** What is kept beside what the user is shown since a place. */
  async #beside(userId: UserId, roomId: RoomId, since: Position): Promise<MembershipTold[]> {
    const rows = await KEPT_MEMBERSHIPS.scan(this.views, { prefix: [userId, roomId], limit: 4 * MOST_BESIDE });
    const open = rows.map(({ value }) => value).filter(({ pos }) => pos > since);
    // What a user asked for is shown again once nobody invites them.
    const rank = ({ told: { membership } }: KeptMembershipRow): number => Number(membership === 'knock');
    return open.toSorted((a, b) => rank(a) - rank(b) || (a.pos < b.pos ? -1 : 1)).map(({ told }) => told);
  }

  /** What the user is shown, as it may be told again. */
  async #toldAt(userId: UserId, { pos, event_id, membership }: UserRoomRow, roomId: RoomId): Promise<MembershipTold> {
    const { member, state, room_version, origin } = (await ELSEWHERE.get(this.views, [userId, roomId, pos]))!;
    const row = parseRow(member);
    const { sender, type, depth, sentAt: ts } = row.header;
    const pdu = { content: contentOfRow(row), depth, origin_server_ts: ts, sender, state_key: userId, type };
    const told = { room_id: roomId, room_version, membership: membership as 'knock', event_id, pdu };
    return {
      ...told,
      state: state.map((text) => JSON.parse(text) as JsonObject),
      ...(origin === undefined ? {} : { origin }),
    };
  }
}

/** Whether a user may still be let in by it. */
export function isOpen({ membership }: Pick<UserRoomRow, 'membership'>): boolean {
  return membership === 'invite' || membership === 'knock';
}

function tellersOf({ origin, member }: ElsewhereRow): ServerName[] {
  const ofSender = serverNameOf(rowHeaderOf(member).sender);
  return origin === undefined || origin === ofSender ? [ofSender] : [origin, ofSender];
}
