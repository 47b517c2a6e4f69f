import { Inject, Injectable } from '@nestjs/common';
import { Typing } from '#ephemeral/typing/typing';
import { NO_TYPING } from '#ephemeral/typing/typing-mark';
import { type PagePlan, pageEnds } from '#http/pagination';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId } from '#kernel/ids';
import { START } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import type { EventForm } from '#rooms/queries/render-event';
import { type Reader, readerOf } from '#rooms/reading/reader';
import { findRoomReader, memberSince, type RoomReader } from '#rooms/reading/room-reader';
import type { ActiveUser, KnownRoom } from '../notifier/active-user.js';
import { ActiveUsers } from '../notifier/active-users.js';
import { previousPosition } from '../parts/recent-rows.js';
import { formatStreamToken, type StreamToken } from '../tokens/stream-token.js';
import { readEphemeralEvents } from './ephemeral-events.js';
import { renderForEventStream } from './render-event-stream.js';
import { mergeRooms, type ReadRow, RoomCursor, type Stretch } from './room-cursor.js';

/** A part of the event stream that somebody asks for. */
export interface EventPageRequest {
  readonly requester: Requester;
  readonly plan: PagePlan<StreamToken>;
  /** Only of this room, which the requester may be only visiting. */
  readonly roomId?: RoomId;
  readonly form: EventForm;
}

export interface EventPage {
  /** The answer as JSON text. */
  readonly json: string;
  /** How many events are in it. */
  readonly count: number;
}

/** The most events of a page, where the request has no limit of its own. */
const MAX_EVENTS = 10_000;
const BEGINNING: StreamToken = { position: START, typing: NO_TYPING };

/** Whether a page ends where the stream does: then it tells of typing and the like too, and can be waited for. */
export function isLive({ direction, from, to }: PagePlan<StreamToken>): boolean {
  return direction === 'f' && to === 'END' && from !== 'START';
}

/** Reads the event stream: all events of all rooms that are visible to a user, one after another. */
@Injectable()
export class EventPages {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    private readonly typing: Typing,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Reads a page, of what there is at `now`. */
  async read(user: ActiveUser, request: EventPageRequest, now: StreamToken): Promise<EventPage> {
    const { plan, requester, form } = request;
    const from = resolve(plan.from, now);
    const to = resolve(plan.to, now);
    const reverse = plan.direction === 'b';
    const stretch = reverse
      ? { after: to.position, upTo: from.position }
      : { after: from.position, upTo: to.position < now.position ? to.position : now.position };
    const rooms = this.#roomsOf(user, request, stretch);
    const reader = await readerOf(this.views, requester);
    const cursors = await this.#cursors(rooms, reader, stretch, reverse);
    const { rows, hasMore } = await mergeRooms(cursors, reverse, plan.limit ?? MAX_EVENTS);
    const reached = hasMore ? placeAt(rows.at(-1)?.row, reverse, from) : to;
    const events = await this.#render(rows, form);
    if (isLive(plan)) events.push(...(await this.#ephemeral(user, request, from, reached)));
    const { start, end } = pageEnds(plan, formatStreamToken(from), formatStreamToken(reached));
    return { json: `{"start":"${start}","end":"${end}","chunk":[${events.join()}]}`, count: events.length };
  }

  /** The rooms in which anything can have happened to the user in a stretch. */
  #roomsOf(
    user: ActiveUser,
    { roomId: only }: EventPageRequest,
    { after }: Stretch,
  ): Map<RoomId, KnownRoom | undefined> {
    if (only !== undefined) return new Map([[only, user.rooms.get(only)]]);
    const rooms = new Map<RoomId, KnownRoom>();
    for (const [roomId, known] of user.rooms) {
      if (known.forgotten) continue;
      const isNew = known.position > after;
      const isIn = known.membership === 'join';
      if (isNew || (isIn && this.active.rooms.hasHappenedSince(roomId, after) !== false)) rooms.set(roomId, known);
    }
    return rooms;
  }

  async #cursors(
    rooms: ReadonlyMap<RoomId, KnownRoom | undefined>,
    reader: Reader,
    stretch: Stretch,
    reverse: boolean,
  ): Promise<RoomCursor[]> {
    const cursors: RoomCursor[] = [];
    for (const [roomId, known] of rooms) {
      const isInThroughout = known?.membership === 'join' && known.position <= stretch.after;
      const room = isInThroughout
        ? memberSince(this.views, roomId, reader, stretch.after)
        : await (await findRoomReader(this.views, roomId, reader)).overStretch(stretch.after, stretch.upTo);
      cursors.push(new RoomCursor(room, stretch, reverse));
    }
    return cursors;
  }

  /** Events in their order, which may be of many rooms: those of each room are rendered together. */
  async #render(rows: readonly ReadRow[], form: EventForm): Promise<string[]> {
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
    return texts;
  }

  /** Typing, receipts and account data: of rooms only those that the user is in now. */
  #ephemeral(
    user: ActiveUser,
    { roomId: only }: EventPageRequest,
    from: StreamToken,
    to: StreamToken,
  ): Promise<string[]> {
    const joined = [...user.rooms].filter(([, { membership }]) => membership === 'join').map(([roomId]) => roomId);
    const rooms = joined.filter((roomId) => only === undefined || roomId === only);
    const { views, typing, active } = this;
    return readEphemeralEvents({ views, typing, active }, { userId: user.userId, rooms, from, to });
  }
}

function resolve(bound: 'START' | 'END' | StreamToken, now: StreamToken): StreamToken {
  if (bound === 'START') return BEGINNING;
  return bound === 'END' ? now : bound;
}

/** The moment at which a page that ends with this row goes on. Typing is told of only where a page ends with the stream. */
function placeAt(row: TimelineRow | undefined, reverse: boolean, from: StreamToken): StreamToken {
  if (row === undefined) return from;
  const { p } = row.header;
  return { position: reverse ? previousPosition(p) : p, typing: from.typing };
}
