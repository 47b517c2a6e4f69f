import { Inject, Injectable } from '@nestjs/common';
import type { EventMatcher } from '#accounts/filters/event-matcher';
import { type PagePlan, pageEnds } from '#http/pagination';
import {
  BEGINNING,
  formatStreamPlace,
  momentOf,
  placeOf,
  type StreamMoment,
  type StreamPlace,
} from '#http/tokens/stream-token';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId } from '#kernel/ids';
import { comparePlaces, isAfter, type Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import type { EventForm } from '#rooms/queries/render-event';
import { type Reader, followerOf } from '#rooms/reading/reader';
import { findRoomReader, memberSince, type RoomReader } from '#rooms/reading/room-reader';
import { ROOM_EPHEMERALS, type RoomEphemeral } from '../ephemeral/room-ephemeral.js';
import type { SyncFilter } from '../filters/sync-filter.js';
import type { ActiveUser, KnownRoom } from '../notifier/active-user.js';
import { ActiveUsers } from '../notifier/active-users.js';
import { isEndUnheard, membershipOver } from '../streams/membership-over.js';
import { PresenceNews } from '../presence/presence-news.js';
import { pickFieldsOfAll } from '../parts/pick-fields.js';
import { readChangedLists, readEphemeralEvents } from './ephemeral-events.js';
import { renderForEventStream } from './render-event-stream.js';
import { mergeRooms, type ReadRow, RoomCursor, type Stretch } from './room-cursor.js';

/** A part of the event stream that somebody asks for. */
export interface EventPageRequest {
  readonly requester: Requester;
  readonly plan: PagePlan<StreamPlace>;
  /** Only of this room, which the requester may be only visiting. */
  readonly roomId?: RoomId;
  readonly form: EventForm;
  /** What is wanted of it; all unless told. */
  readonly filter?: SyncFilter;
}

export interface EventPage {
  /** The answer as JSON text. */
  readonly json: string;
  /** How many events are in it. */
  readonly count: number;
}

/** The most events of a page, where the request has no limit of its own. */
const MAX_EVENTS = 10_000;

/** Whether a page ends where the stream does: then it tells of typing and the like too, and can be waited for. */
export function isLive({ direction, from, to }: PagePlan<StreamPlace>): boolean {
  return direction === 'f' && to === 'END' && from !== 'START';
}

/** Reads the event stream: all events of all rooms that are visible to a user, one after another. */
@Injectable()
export class EventPages {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    @Inject(ROOM_EPHEMERALS) private readonly ephemerals: readonly RoomEphemeral[],
    private readonly presence: PresenceNews,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Reads a page, of what there is at a moment. */
  async read(user: ActiveUser, request: EventPageRequest, moment: StreamMoment): Promise<EventPage> {
    const { plan, requester, form } = request;
    const now = placeOf(moment);
    const from = resolve(plan.from, now);
    const to = resolve(plan.to, now);
    const reverse = plan.direction === 'b';
    const stretch = reverse
      ? { after: to.place, upTo: from.place }
      : { after: from.place, upTo: comparePlaces(to.place, now.place) < 0 ? to.place : now.place };
    const rooms = this.#roomsOf(user, request, stretch);
    const reader = await followerOf(this.views, requester);
    const cursors = await this.#cursors(rooms, reader, stretch, reverse, request.filter?.timeline);
    const { rows, hasMore } = await mergeRooms(cursors, reverse, plan.limit ?? MAX_EVENTS);
    const reached = hasMore ? placeAt(rows.at(-1)?.row, reverse, from) : to;
    const rendered = await this.#render(rows, form, request.filter?.eventFields);
    const ephemeral = isLive(plan) ? await this.#ephemeral(user, reader, request, from, reached) : [];
    const events = [...rendered, ...ephemeral];
    const { start, end } = pageEnds(plan, this.#format(from), this.#format(reached));
    return { json: `{"start":"${start}","end":"${end}","chunk":[${events.join()}]}`, count: events.length };
  }

  #format(place: StreamPlace): string {
    return formatStreamPlace(this.views.history, place);
  }

  /** The rooms in which anything can have happened to the user in a stretch. */
  #roomsOf(
    user: ActiveUser,
    { roomId: only, filter, plan }: EventPageRequest,
    { after }: Stretch,
  ): Map<RoomId, KnownRoom | undefined> {
    const isWanted = (roomId: RoomId): boolean =>
      filter === undefined || (filter.includesRoom(roomId) && filter.timeline.matchesRoom(roomId));
    if (only !== undefined) return new Map(isWanted(only) ? [[only, user.rooms.get(only)]] : []);
    const rooms = new Map<RoomId, KnownRoom>();
    for (const [roomId, known] of user.rooms) {
      // Of what is forgotten those alone may be told who follow the stream.
      if ((known.forgotten && !isLive(plan)) || !isWanted(roomId)) continue;
      const isNew = isAfter(known.position, after);
      const isIn = known.membership === 'join';
      if (isNew || (isIn && this.#mayHaveNews(roomId, after))) rooms.set(roomId, known);
    }
    return rooms;
  }

  #mayHaveNews(roomId: RoomId, after: Stretch['after']): boolean {
    return typeof after !== 'string' || this.active.recent.rooms.hasHappenedSince(roomId, after) !== false;
  }

  async #cursors(
    rooms: ReadonlyMap<RoomId, KnownRoom | undefined>,
    reader: Reader,
    stretch: Stretch,
    reverse: boolean,
    wanted: EventMatcher | undefined,
  ): Promise<RoomCursor[]> {
    const cursors: RoomCursor[] = [];
    for (const [roomId, known] of rooms) {
      const isInThroughout = known?.membership === 'join' && !isAfter(known.position, stretch.after);
      if (isInThroughout) {
        const room = memberSince(this.views, roomId, reader, known.position);
        cursors.push(new RoomCursor(room, stretch, reverse, wanted));
        continue;
      }
      const found = await findRoomReader(this.views, roomId, reader);
      const part = known?.forgotten === true ? await this.#endUnheard(found, known.position, stretch) : stretch;
      if (part === undefined) continue;
      const room = await found.overStretch(part.after, part.upTo);
      cursors.push(new RoomCursor(room, part, reverse, wanted));
    }
    return cursors;
  }

  /** Of a stretch of a room that is forgotten what is told of it: the event by which the user is not in it, where that is news. */
  async #endUnheard(room: RoomReader, at: Position, { after, upTo }: Stretch): Promise<Stretch | undefined> {
    if (isAfter(at, upTo)) return undefined;
    const since = typeof after === 'string' ? after : after.before;
    const over = await membershipOver(room, since, at);
    return over !== undefined && isEndUnheard(over) ? { after: { before: at }, upTo: at } : undefined;
  }

  /** Events in their order, which may be of many rooms: those of each room are rendered together. */
  async #render(
    rows: readonly ReadRow[],
    form: EventForm,
    fields: readonly string[] | undefined,
  ): Promise<readonly string[]> {
    const byRoom = new Map<RoomReader, number[]>();
    for (const [i, { room }] of rows.entries()) {
      const indexes = byRoom.get(room);
      if (indexes === undefined) byRoom.set(room, [i]);
      else indexes.push(i);
    }
    const texts: string[] = [];
    for (const [room, indexes] of byRoom) {
      const viewer = { room, now: this.clock.now() };
      const rendered = await renderForEventStream(
        indexes.map((i) => rows[i]!.row),
        viewer,
        form,
      );
      for (const [n, i] of indexes.entries()) texts[i] = rendered[n]!;
    }
    return pickFieldsOfAll(texts, fields);
  }

  /** Ephemeral events and account data: of rooms only those that the user is in now. */
  async #ephemeral(
    user: ActiveUser,
    reader: Reader,
    { roomId: only, filter, form }: EventPageRequest,
    from: StreamPlace,
    to: StreamPlace,
  ): Promise<string[]> {
    const joined = [...user.rooms].filter(([, { membership }]) => membership === 'join');
    const rooms = new Map(joined.filter(([roomId]) => only === undefined || roomId === only));
    const [since, until] = [momentOf(from), momentOf(to)];
    const changed = await this.presence.changed(
      { userId: reader.userId, rooms, ofRoomOnly: only !== undefined },
      since,
      until,
    );
    const presence = await this.presence.renderForEventStream(reader, changed, form, filter?.presence);
    const range = { reader, rooms: [...rooms.keys()], filter, from: since, to: until };
    const lists = only === undefined ? await readChangedLists(this.views, range) : [];
    return [...presence, ...lists, ...(await readEphemeralEvents(this.views, this.ephemerals, range))];
  }
}

function resolve(bound: 'START' | 'END' | StreamPlace, now: StreamPlace): StreamPlace {
  if (bound === 'START') return BEGINNING;
  return bound === 'END' ? now : bound;
}

/** The moment at which a page that ends with this row goes on. Typing and presence are told of only where a page ends with the stream. */
function placeAt(row: TimelineRow | undefined, reverse: boolean, from: StreamPlace): StreamPlace {
  if (row === undefined) return from;
  const { position } = row.header;
  return { ...from, place: reverse ? { before: position } : position };
}
