import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import { type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import { elsewhereStream, type MembershipTold } from '../facts/elsewhere-facts.js';
import { ELSEWHERE } from '../projections/elsewhere-rows.js';
import { USER_ROOMS, type UserRoomRow } from '../projections/membership.projector.js';

/** What a user is in a room that is not here. */
export interface PlaceElsewhere extends UserRoomRow {
  readonly roomVersion: string;
  /** Those who may let the user in: who told it, and whoever invited. */
  readonly servers: readonly ServerName[];
}

const CAPACITY = 1_000;

/** What users of this server are in rooms that are not here: a stream for each of them, and how they stand now in the views. */
@Injectable()
export class MembershipsElsewhere {
  /** Nothing of a stream is needed to decide, only where it ends. */
  readonly #streams: Aggregates<null>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    const end = { initialState: null, evolve: () => null, newestOnly: true } as const;
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...end });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** What a user is in a room that is not here; undefined where there is no such thing, also where the room itself says what they are. */
  async find(userId: UserId, roomId: RoomId): Promise<PlaceElsewhere | undefined> {
    const place = await USER_ROOMS.get(this.views, [userId, roomId]);
    if (place?.elsewhere !== true) return undefined;
    const row = await ELSEWHERE.get(this.views, [userId, roomId, place.pos]);
    if (row === undefined) return undefined;
    const servers = new Set([...(row.origin === undefined ? [] : [row.origin]), serverNameOf(place.sender)]);
    return { ...place, roomVersion: row.room_version, servers: [...servers] };
  }

  /** Notes what a user is now. Settles once the views show it. */
  async tell(userId: UserId, told: MembershipTold, cause: Cause): Promise<void> {
    const draft = draftOf({ type: 'membership-told', data: told });
    const { position } = await this.#streams.execute(elsewhereStream(userId), () => [draft], cause);
    await this.views.whenProcessed(position, [USER_ROOMS.name]);
  }
}
