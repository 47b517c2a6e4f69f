import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { draftOf, type FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import { type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { elsewhereStream, type MembershipTold } from '../facts/elsewhere-facts.js';
import { ELSEWHERE, type ElsewhereRow } from '../projections/elsewhere-rows.js';
import { HANDSHAKES } from '../projections/handshakes.projector.js';
import { USER_ROOMS, type UserRoomRow } from '../projections/membership.projector.js';
import { rowHeaderOf } from '../projections/timeline-row.js';
import { Handshakes } from './handshakes.js';

/** What a user is in a room that is not here. */
export interface PlaceElsewhere extends UserRoomRow {
  readonly roomVersion: string;
  /** Those who told it, and that of whoever invited: their word ends it. */
  readonly tellers: readonly ServerName[];
  /** Those who may let the user in: first these, then those of the times before. Anybody can invite, also who is not in the room. */
  readonly servers: readonly ServerName[];
}

/** So many times are looked at for servers that may let a user in. */
const MOST_TOLD = 8;

const CAPACITY = 1_000;

/** What users of this server are in rooms that are not here: a stream for each of them, and how they stand now in the views. */
@Injectable()
export class MembershipsElsewhere {
  /** Nothing of a stream is needed to decide, only where it ends. */
  readonly #streams: Aggregates<null>;
  /** What other servers were given to let them into rooms. */
  readonly handshakes: Handshakes;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    const end = { initialState: null, evolve: () => null, newestOnly: true } as const;
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...end });
    this.handshakes = new Handshakes(views, (userId, draft, cause) => this.#append(userId, draft, cause));
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
    const servers = new Set([...tellers, ...before.flatMap(tellersOf)]);
    return { ...place, roomVersion: last.room_version, tellers, servers: [...servers] };
  }

  /** Notes what a user is now. Settles once the views show it. */
  async tell(userId: UserId, told: MembershipTold, cause: Cause): Promise<void> {
    const draft = draftOf({ type: 'membership-told', data: told });
    const position = await this.#append(userId, draft, cause);
    await this.views.whenProcessed(position, [USER_ROOMS.name, HANDSHAKES.name]);
  }

  async #append(userId: UserId, draft: FactDraft, cause: Cause): Promise<Position> {
    return (await this.#streams.execute(elsewhereStream(userId), () => [draft], cause)).position;
  }
}

function tellersOf({ origin, member }: ElsewhereRow): ServerName[] {
  const ofSender = serverNameOf(rowHeaderOf(member).sender);
  return origin === undefined || origin === ofSender ? [ofSender] : [origin, ofSender];
}
