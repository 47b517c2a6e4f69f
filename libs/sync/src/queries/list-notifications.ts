import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import type { PushVerdict } from '#protocol/push-rules/evaluate-rules';
import { CompiledRules } from '#push/compiled-rules';
import { ROOM_ACTIVITY } from '#rooms/projections/room-activity.projector';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { listJoinedRooms } from '#rooms/queries/list-user-rooms';
import type { RoomReader } from '#rooms/reading/room-reader';
import { readerOf } from '#rooms/reading/reader';
import { NotifiedRoom } from '../unread/notified-room.js';
import { PushContexts } from '../unread/push-context.js';

/** An event that a user was notified of. */
export interface Notification {
  /** The reader before its room, over the event. */
  readonly room: RoomReader;
  readonly row: TimelineRow;
  readonly verdict: PushVerdict;
  readonly isRead: boolean;
}

export interface NotificationsPage {
  /** The newest first. */
  readonly notifications: readonly Notification[];
  /** The next page is of what was before it; undefined where there is nothing more. */
  readonly next: Position | undefined;
}

/** What of the notifications is asked for. */
export interface NotificationsWish {
  /** Only those of before; undefined: all. */
  readonly before: Position | undefined;
  readonly limit: number;
  readonly onlyHighlights: boolean;
}

/** The events that a user was or would have been notified of, in the rooms that they are in: client-server API, `GET /notifications`. */
export class ListNotifications extends Query<NotificationsPage> {
  constructor(
    readonly requester: Requester,
    readonly wish: NotificationsWish,
  ) {
    super();
  }
}

/** How many events a page looks at before it answers with what it has. */
const MOST_LOOKED_AT = 5_000;
const PAGE = 25;

/** A room on the way back through all of them. */
interface Way {
  readonly roomId: RoomId;
  /** Nothing that was not looked at is newer. */
  newest: Position;
  /** What was read and not looked at, newest first. */
  rows: TimelineRow[];
  /** What is before this is not read; undefined: all of the room. */
  before: Position | undefined;
}

@QueryHandler(ListNotifications)
export class ListNotificationsHandler implements IQueryHandler<ListNotifications> {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly rules: CompiledRules,
  ) {}

  async execute({ requester, wish }: ListNotifications): Promise<NotificationsPage> {
    const { views } = this;
    const { userId } = requester;
    const reader = await readerOf(views, requester);
    const rules = await this.rules.of(userId);
    const moment = views.position();
    const by = { views, reader, rules, contexts: new PushContexts(views), moment };
    const rooms = new Map<RoomId, NotifiedRoom>();
    const notifications: Notification[] = [];
    const turn = new Turn(1);
    let lookedAt = 0;
    let last: Position | undefined;
    for await (const { roomId, row } of this.#backwards(userId, wish.before)) {
      if (turn.isOver()) await turn.pass();
      const isEnough = notifications.length >= wish.limit || lookedAt >= MOST_LOOKED_AT;
      if (isEnough) return { notifications, next: last };
      lookedAt++;
      last = row.header.position;
      let room = rooms.get(roomId);
      if (room === undefined) rooms.set(roomId, (room = new NotifiedRoom(by, roomId)));
      const found = await room.find(row);
      if (found !== undefined && (found.verdict.highlight || !wish.onlyHighlights)) notifications.push(found);
    }
    return { notifications, next: undefined };
  }

  /** The events of all rooms that a user is in, the newest first. PERF: a room is read once its last event is the newest of those that are left. */
  async *#backwards(
    userId: UserId,
    before: Position | undefined,
  ): AsyncGenerator<{ readonly roomId: RoomId; readonly row: TimelineRow }, void> {
    const joined = await listJoinedRooms(this.views, userId);
    const activity = await ROOM_ACTIVITY.getMany(
      this.views,
      joined.map((roomId) => [roomId] as const),
    );
    let ways = joined.flatMap((roomId, i): Way[] => {
      const last = activity[i]?.last;
      return last === undefined
        ? []
        : [{ roomId, newest: before !== undefined && before < last ? before : last, rows: [], before }];
    });
    while (ways.length > 0) {
      const way = ways.reduce((a, b) => (b.newest > a.newest ? b : a));
      const row = way.rows.shift();
      if (row !== undefined) {
        yield { roomId: way.roomId, row };
        way.newest = way.rows[0]?.header.position ?? way.newest;
      } else if (!(await this.#readOn(way))) ways = ways.filter((one) => one !== way);
    }
  }

  /** Reads the next rows of a room; false where there are none. */
  async #readOn(way: Way): Promise<boolean> {
    const { roomId, before } = way;
    const behind = before === undefined ? {} : { before: [roomId, before] as const };
    const rows = await TIMELINE.scan(this.views, { prefix: [roomId], ...behind, reverse: true, limit: PAGE });
    way.rows = rows.map(({ value }) => parseRow(value));
    const last = way.rows.at(-1)?.header.position;
    if (last === undefined) return false;
    way.before = last;
    way.newest = way.rows[0]!.header.position;
    return true;
  }
}
