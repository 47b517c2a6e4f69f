import { Inject, Injectable } from '@nestjs/common';
import type { RoomId, UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { ROOM_ACTIVITY, type RoomActivity } from '#rooms/projections/room-activity.projector';
import { ROOMS, type RoomSummary } from '#rooms/projections/room-summary.projector';
import type { ActiveUser, KnownRoom } from '../notifier/active-user.js';
import { ActiveUsers } from '../notifier/active-users.js';
import { isSeenEncrypted } from './seen-encryption.js';

/** A room of a user as far as lists look at it. */
export interface ListedRoom {
  readonly roomId: RoomId;
  readonly known: KnownRoom;
  /** Where it stands among the user's rooms: by its last event, and where the user is not in it by what they became there. */
  readonly place: Position;
  /** MSC4186: `bump_stamp`, of the same kind. */
  readonly bump: Position;
  readonly type: string | undefined;
  /** As far as the user may know. */
  readonly isEncrypted: boolean;
  /** From where on its user is invited, the last time by somebody whom they ignore: all else is as it was before. */
  readonly invitedAt?: Position;
}

/** The rooms of a user, the one with the last activity first, as of a moment. */
interface Listing {
  readonly upTo: Position;
  /** `ActiveUser.roomsMark` by then. */
  readonly mark: object;
  readonly rooms: readonly ListedRoom[];
}

interface Comparison {
  readonly kept: readonly ListedRoom[];
  readonly stale: readonly RoomId[];
}

const USERS = 20_000;
/** Of all users together: some 150 MB at the most. */
const ALL_ROOMS = 1_000_000;
const AT_ONCE = 1_000;

/**
 * The rooms of users who use sliding sync, in the order of their activity. PERF: read once, and then only of the rooms that something
 * happened in; so neither the order nor a filter reads the states of thousands of rooms.
 */
@Injectable()
export class KnownRooms {
  /** What is read again once somebody heard of an event of the room, and must have that by then. */
  static readonly covers = [ROOM_ACTIVITY.name, ROOMS.name];
  readonly #listings = new LruCache<UserId, Listing>(USERS, {
    most: ALL_ROOMS,
    weigh: ({ rooms }) => rooms.length + 1,
  });

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#listings.numbers;
  }

  /** The rooms that a user has or had to do with, the one with the last activity first. */
  async list(user: ActiveUser): Promise<readonly ListedRoom[]> {
    const { userId, roomsMark: mark } = user;
    // What happens while the rows are read is looked at the next time, and what views lack that are paused once they have it.
    const passed = this.views.position(KnownRooms.covers);
    const upTo = passed < this.active.position ? passed : this.active.position;
    const before = this.#listings.get(userId);
    const { kept, stale } = this.#compare(before, user);
    const read = stale.length === 0 ? [] : (await this.#read(user, stale)).sort(byPlace);
    const listed = merged(read, kept);
    this.#listings.set(userId, { upTo, mark, rooms: listed });
    return listed;
  }

  /** What of a listing is still so, in its order, and which rooms are to be read. */
  #compare(before: Listing | undefined, { rooms, roomsMark }: ActiveUser): Comparison {
    const recent = this.active.recent.rooms;
    const happened = before?.mark === roomsMark ? recent.keysSince(before.upTo, rooms.size) : undefined;
    if (before !== undefined && happened !== undefined) {
      // Of a room that the user is not in, only what they became there counts.
      const stale = [...happened].filter((roomId) => rooms.get(roomId as RoomId)?.membership === 'join') as RoomId[];
      if (stale.length === 0) return { kept: before.rooms, stale };
      const isStale = new Set(stale);
      return { kept: before.rooms.filter(({ roomId }) => !isStale.has(roomId)), stale };
    }
    const isStill = ({ roomId, known }: ListedRoom): boolean =>
      rooms.get(roomId) === known &&
      (known.membership !== 'join' || recent.hasHappenedSince(roomId, before!.upTo) === false);
    const kept = before?.rooms.filter(isStill) ?? [];
    const isKept = new Set(kept.map(({ roomId }) => roomId));
    const stale = [...rooms.keys()].filter((roomId) => !isKept.has(roomId));
    return { kept: kept.length === before?.rooms.length ? before.rooms : kept, stale };
  }

  async #read({ userId, rooms }: ActiveUser, roomIds: readonly RoomId[]): Promise<ListedRoom[]> {
    const listed: ListedRoom[] = [];
    for (let at = 0; at < roomIds.length; at += AT_ONCE) {
      const page = roomIds.slice(at, at + AT_ONCE);
      const keys = page.map((roomId) => [roomId] as const);
      const [activities, summaries] = await Promise.all([
        ROOM_ACTIVITY.getMany(this.views, keys),
        ROOMS.getMany(this.views, keys),
      ]);
      for (const [i, roomId] of page.entries()) {
        const known = rooms.get(roomId);
        if (known === undefined) continue;
        const room = listedRoom(roomId, known, activities[i], summaries[i]);
        // PERF: what is not encrypted now never was, and needs no second look.
        const isUnsure = room.isEncrypted && known.membership !== 'join';
        const isEncrypted = isUnsure ? await isSeenEncrypted(this.views, roomId, userId, known) : room.isEncrypted;
        listed.push(isEncrypted === room.isEncrypted ? room : { ...room, isEncrypted });
      }
    }
    return listed;
  }
}

function listedRoom(
  roomId: RoomId,
  known: KnownRoom,
  activity: RoomActivity = { last: START, bump: START },
  summary: RoomSummary | undefined,
): ListedRoom {
  const isIn = known.membership === 'join';
  return {
    roomId,
    known,
    place: isIn ? activity.last : known.position,
    bump: isIn ? activity.bump : known.position,
    type: summary?.type,
    isEncrypted: summary?.encryption !== undefined,
  };
}

/** The one with the last activity first. */
export function byPlace(a: ListedRoom, b: ListedRoom): number {
  return a.place < b.place ? 1 : a.place > b.place ? -1 : 0;
}

/** Two lists in their order as one. */
export function merged(a: readonly ListedRoom[], b: readonly ListedRoom[]): readonly ListedRoom[] {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const all: ListedRoom[] = [];
  let i = 0;
  for (const room of b) {
    while (i < a.length && byPlace(a[i]!, room) <= 0) all.push(a[i++]!);
    all.push(room);
  }
  return [...all, ...a.slice(i)];
}
