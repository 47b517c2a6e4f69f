import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import type { PushVerdict } from '#protocol/push-rules/evaluate-rules';
import { CompiledRules } from '#push/compiled-rules';
import { ELSEWHERE } from '#rooms/projections/elsewhere-rows';
import { ROOM_ACTIVITY } from '#rooms/projections/room-activity.projector';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { listUserRooms } from '#rooms/queries/list-user-rooms';
import type { RoomReader } from '#rooms/reading/room-reader';
import { followerOf } from '#rooms/reading/reader';
import { type Badge, Badges } from '../unread/badges.js';
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
  /** Of a room that the user is invited to this alone is looked at. */
  readonly invitedAt: Position | undefined;
  /** The room is not here: the invitation is what another server told. */
  readonly isElsewhere?: boolean;
}

@QueryHandler(ListNotifications)
export class ListNotificationsHandler implements IQueryHandler<ListNotifications> {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly rules: CompiledRules,
    private readonly badges: Badges,
  ) {}

  async execute({ requester, wish }: ListNotifications): Promise<NotificationsPage> {
    const { views } = this;
    const { userId } = requester;
    const reader = await followerOf(views, requester);
    const rules = await this.rules.of(userId);
    const moment = views.position();
    // What is unread is said by the counts alone.
    const badge = await this.badges.read(userId);
    const by = { views, reader, rules, contexts: new PushContexts(views), moment };
    const rooms = new Map<RoomId, NotifiedRoom>();
    const notifications: Notification[] = [];
    const turn = new Turn(1);
    let lookedAt = 0;
    let last: Position | undefined;
    for await (const { roomId, row } of this.#backwards({ userId, before: wish.before, moment, turn })) {
      const isEnough = notifications.length >= wish.limit || lookedAt >= MOST_LOOKED_AT;
      if (isEnough) return { notifications, next: last };
      lookedAt++;
      last = row.header.position;
      let room = rooms.get(roomId);
      if (room === undefined) rooms.set(roomId, (room = new NotifiedRoom(by, roomId)));
      const found = await room.find(row);
      if (found !== undefined && (found.verdict.highlight || !wish.onlyHighlights))
        notifications.push({ ...found, isRead: !isUnread(badge, roomId, row, userId) });
    }
    return { notifications, next: undefined };
  }

  /**
   * The events of all rooms that a user is in, and invitations, the newest first. PERF: a room is read once its last event is the newest of
   * those that are left.
   */
  async *#backwards(back: WayBack): AsyncGenerator<{ readonly roomId: RoomId; readonly row: TimelineRow }, void> {
    const { turn } = back;
    const ways = (await this.#begin(back)).toSorted((a, b) => (a.newest < b.newest ? -1 : 1));
    for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
      if (turn.isOver()) await turn.pass();
      const row = way.rows.shift();
      if (row !== undefined) {
        yield { roomId: way.roomId, row };
        way.newest = way.rows[0]?.header.position ?? row.header.position;
      } else if (!(await this.#readOn(way, back))) continue;
      putInOrder(ways, way);
    }
  }

  async #begin({ userId, before, moment }: WayBack): Promise<Way[]> {
    const upTo = before !== undefined && before < moment ? before : moment;
    const rooms = [...(await listUserRooms(this.views, userId))];
    const joined = rooms.flatMap(([roomId, { membership }]) => (membership === 'join' ? [roomId] : []));
    const activity = await ROOM_ACTIVITY.getMany(
      this.views,
      joined.map((roomId) => [roomId] as const),
    );
    const begun = { rows: [], before, invitedAt: undefined };
    const ways = joined.flatMap((roomId, i): Way[] => {
      const last = activity[i]?.last;
      return last === undefined ? [] : [{ ...begun, roomId, newest: upTo < last ? upTo : last }];
    });
    for (const [roomId, { membership, pos, elsewhere: isElsewhere }] of rooms) {
      if (membership === 'invite' && pos <= moment && (before === undefined || pos < before))
        ways.push({ ...begun, roomId, newest: pos, invitedAt: pos, isElsewhere });
    }
    return ways;
  }

  /** Reads the next rows of a room; false where there are none. */
  async #readOn(way: Way, back: WayBack): Promise<boolean> {
    const texts = await this.#textsOf(way, back);
    way.rows = texts.map((text) => parseRow(text));
    const last = way.rows.at(-1)?.header.position;
    if (last === undefined) return false;
    way.before = last;
    way.newest = way.rows[0]!.header.position;
    return true;
  }

  async #textsOf(way: Way, { userId, moment }: WayBack): Promise<string[]> {
    const { roomId, before, invitedAt, isElsewhere } = way;
    if (invitedAt !== undefined) {
      if (before === invitedAt) return [];
      const text =
        isElsewhere === true
          ? (await ELSEWHERE.get(this.views, [userId, roomId, invitedAt]))?.member
          : await TIMELINE.get(this.views, [roomId, invitedAt]);
      return text === undefined ? [] : [text];
    }
    const behind = before === undefined ? { to: [roomId, moment] as const } : { before: [roomId, before] as const };
    const rows = await TIMELINE.scan(this.views, { prefix: [roomId], ...behind, reverse: true, limit: PAGE });
    return rows.map(({ value }) => value);
  }
}

/** How one looks back. */
interface WayBack {
  readonly userId: UserId;
  /** Only what was before; undefined: all. */
  readonly before: Position | undefined;
  /** Nothing that came later. */
  readonly moment: Position;
  readonly turn: Turn;
}

function isUnread(badge: Badge, roomId: RoomId, { header }: TimelineRow, userId: UserId): boolean {
  const isInvitation = header.membership === 'invite' && header.stateKey === userId;
  return isInvitation ? badge.isInvitedTo(roomId) : badge.hasUnread(roomId, header.eventId);
}

/** Puts a way among others, the one with the newest event last. */
function putInOrder(ways: Way[], way: Way): void {
  let [low, high] = [0, ways.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ways[middle]!.newest < way.newest) low = middle + 1;
    else high = middle;
  }
  ways.splice(low, 0, way);
}
