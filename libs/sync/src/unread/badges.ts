import { Inject, Injectable } from '@nestjs/common';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import { CompiledRules, type UserRules } from '#push/compiled-rules';
import { type Reader, readerOf } from '#rooms/reading/reader';
import { findRoomReader } from '#rooms/reading/room-reader';
import { ActiveUsers } from '../notifier/active-users.js';
import { RecentRows } from '../parts/recent-rows.js';
import { UnreadCounts } from './unread-counts.js';
import type { UnreadEvent } from './unread-search.js';

/** What is unread for a user in all of their rooms. */
export interface Badge {
  /** Events that notify, and invitations. */
  readonly unread: number;
  /** Whether an event of a room is among them. */
  hasUnread(roomId: RoomId, eventId: EventId): boolean;
  /** Whether the invitation to a room is among them. */
  isInvitedTo(roomId: RoomId): boolean;
  /** The last event that notifies and is unread. */
  readonly newest: { readonly roomId: RoomId; readonly event: UnreadEvent } | undefined;
}

/** What was unread of a room, and up to where it was looked at. */
interface KnownRoom {
  readonly upTo: Position;
  readonly events: readonly UnreadEvent[];
}

/** What is known of a user, and what that depends on. */
interface Known {
  readonly rules: UserRules;
  readonly ignored: ReadonlySet<UserId>;
  readonly rooms: Map<RoomId, KnownRoom>;
}

const CAPACITY = 2_000;
/** As many events as mostly came since. */
const EXPECTED = 20;

/**
 * The number that an application shows beside its picture: what `UnreadCounts` counts, in all rooms of a user. PERF: only those rooms are
 * looked at in which something happened, or was read, since they were looked at last.
 */
@Injectable()
export class Badges {
  readonly #known = new LruCache<UserId, Known>(CAPACITY);

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    private readonly unread: UnreadCounts,
    private readonly rules: CompiledRules,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  async read(userId: UserId): Promise<Badge> {
    await this.active.catchUp();
    const rooms = await this.active.roomsOf(userId);
    const upTo = this.active.knownUpTo();
    const [reader, rules] = await Promise.all([readerOf(this.views, { userId }), this.rules.of(userId)]);
    const before = this.#stillTrue(userId, rules, reader);
    const known: Known = { rules, ignored: reader.ignored, rooms: new Map() };
    const sync = { requester: { userId }, turn: new Turn(1) };
    const invitedTo = new Set<RoomId>();
    let unread = 0;
    let newest: Badge['newest'];
    for (const [roomId, { membership, by }] of Array.from(rooms)) {
      if (membership === 'invite' && (by === undefined || !reader.ignored.has(by))) invitedTo.add(roomId);
      if (membership !== 'join') continue;
      const room = this.#isCurrent(roomId, before?.rooms.get(roomId)) ?? (await this.#look(sync, roomId, reader, upTo));
      known.rooms.set(roomId, room);
      unread += room.events.length;
      const event = room.events.at(-1);
      if (event !== undefined && (newest === undefined || event.position > newest.event.position))
        newest = { roomId, event };
      if (sync.turn.isOver()) await sync.turn.pass();
    }
    this.#known.set(userId, known);
    return {
      unread: unread + invitedTo.size,
      newest,
      hasUnread: (roomId, eventId) =>
        known.rooms.get(roomId)?.events.some((event) => event.eventId === eventId) === true,
      isInvitedTo: (roomId) => invitedTo.has(roomId),
    };
  }

  #stillTrue(userId: UserId, rules: UserRules, { ignored }: Reader): Known | undefined {
    const known = this.#known.get(userId);
    if (known === undefined || known.rules !== rules || rules.asksForThreads) return undefined;
    return known.ignored.size === ignored.size && [...ignored].every((one) => known.ignored.has(one))
      ? known
      : undefined;
  }

  #isCurrent(roomId: RoomId, known: KnownRoom | undefined): KnownRoom | undefined {
    const { rooms, receipts } = this.active.recent;
    if (known === undefined || rooms.hasHappenedSince(roomId, known.upTo) !== false) return undefined;
    return receipts.hasHappenedSince(roomId, known.upTo) === false ? known : undefined;
  }

  async #look(
    sync: { readonly requester: { readonly userId: UserId }; readonly turn: Turn },
    roomId: RoomId,
    reader: Reader,
    upTo: Position,
  ): Promise<KnownRoom> {
    const room = await findRoomReader(this.views, roomId, reader);
    const recent = new RecentRows(this.views, roomId, upTo, EXPECTED);
    const { events } = await this.unread.find({ sync, roomId, reader: room, upTo, recent });
    return { upTo, events };
  }
}
