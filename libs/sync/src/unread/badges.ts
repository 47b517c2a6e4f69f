import { Inject, Injectable } from '@nestjs/common';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import { CompiledRules } from '#push/compiled-rules';
import { followerOf, type Reader, refusesInvitations } from '#rooms/reading/reader';
import { findRoomReader } from '#rooms/reading/room-reader';
import { ActiveUsers } from '../notifier/active-users.js';
import { SharedRows } from '../parts/recent-rows.js';
import type { UnreadOfRoom } from './known-unread.js';
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

/** A badge with all that it counts. */
export interface WholeBadge extends Badge {
  /** The events that notify and are unread, by room, in their order. */
  readonly events: ReadonlyMap<RoomId, readonly UnreadEvent[]>;
  /** The invitations, and where each stands. */
  readonly invitations: ReadonlyMap<RoomId, Position>;
}

/** As many events as mostly came since. */
const EXPECTED = 20;

/**
 * The number that an application shows beside its picture: what `UnreadCounts` counts, in all rooms of a user. PERF: only those rooms are
 * looked at in which something happened, or was read, since they were looked at last.
 */
@Injectable()
export class Badges {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    private readonly unread: UnreadCounts,
    private readonly rules: CompiledRules,
    private readonly rows: SharedRows,
  ) {}

  async read(userId: UserId): Promise<WholeBadge> {
    await this.active.catchUp();
    const rooms = await this.active.roomsOf(userId);
    const upTo = this.active.knownUpTo();
    const [reader, rules] = await Promise.all([followerOf(this.views, { userId }), this.rules.of(userId)]);
    const ignored = this.unread.sameIgnored(userId, reader.ignored);
    const sync = { requester: { userId }, turn: new Turn(1) };
    const found = new Map<RoomId, readonly UnreadEvent[]>();
    const invitations = new Map<RoomId, Position>();
    let unread = 0;
    let newest: Badge['newest'];
    for (const [roomId, { membership, by, position }] of Array.from(rooms)) {
      if (membership === 'invite' && (by === undefined || !refusesInvitations(reader, roomId, by)))
        invitations.set(roomId, position);
      if (membership !== 'join') continue;
      const known = this.unread.recall(userId, roomId, { rules, ignored });
      const { events } = known ?? (await this.#look(sync, roomId, reader, upTo));
      const event = events.at(-1);
      if (event !== undefined) found.set(roomId, events);
      unread += events.length;
      if (event !== undefined && (newest === undefined || event.position > newest.event.position))
        newest = { roomId, event };
      if (sync.turn.isOver()) await sync.turn.pass();
    }
    return {
      unread: unread + invitations.size,
      newest,
      // It is one of the last in most cases.
      hasUnread: (roomId, eventId) => found.get(roomId)?.findLast((event) => event.eventId === eventId) !== undefined,
      isInvitedTo: (roomId) => invitations.has(roomId),
      events: found,
      invitations,
    };
  }

  /** PERF: what came since is the same for all members: they share the rows. */
  async #look(
    sync: { readonly requester: { readonly userId: UserId }; readonly turn: Turn },
    roomId: RoomId,
    reader: Reader,
    upTo: Position,
  ): Promise<UnreadOfRoom> {
    const room = await findRoomReader(this.views, roomId, reader);
    const recent = this.rows.open(roomId, upTo, EXPECTED, this.unread.knownUpTo(reader.userId, roomId) ?? START);
    return this.unread.find({ sync, roomId, reader: room, upTo, recent });
  }
}
