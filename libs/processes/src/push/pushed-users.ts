import { Inject, Injectable } from '@nestjs/common';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import { userIdOfPushers } from '#push/facts/pusher-facts';
import { PUSHERS } from '#push/projections/pushers.projector';
import { roomIdOfStream, ROOM_STREAM_PREFIX } from '#rooms/facts/room-facts';
import { MEMBERS, ROOM_MEMBERS } from '#rooms/projections/membership.projector';
import { touchOf } from '#sync/notifier/fact-touches';

/** The members of a room who have pushers. */
interface PushedRoom {
  readonly members: Set<UserId>;
  /** Who came or went while the members were being read. */
  readonly moved: Map<UserId, boolean>;
  /** Of the newcomers up to here it is known whether they are in it. */
  seen: number;
  readonly read: Promise<void>;
  isRead: boolean;
}

const ROOMS = 5_000;
const MOST_NEWCOMERS = 10_000;

/**
 * Who has pushers (or had some since it began), and in which rooms: in memory, so that an event of a room in which nobody has any costs a look into a map. Kept up to
 * date by the facts, which are heard in their order once the views show them.
 */
@Injectable()
export class PushedUsers {
  readonly #users = new Set<UserId>();
  /** Those who had their first pusher since it began, in order. */
  #newcomers: UserId[] = [];
  readonly #rooms = new LruCache<RoomId, PushedRoom>(ROOMS);

  constructor(@Inject(VIEWS) private readonly views: Views) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#rooms.numbers;
  }

  /** How many have pushers. */
  get size(): number {
    return this.#users.size;
  }

  /** Begins with what the views show by now. */
  async begin(): Promise<void> {
    this.#rooms.clear();
    this.#users.clear();
    this.#newcomers = [];
    for await (const page of PUSHERS.pages(this.views, {})) for (const { key } of page) this.#users.add(key[0]);
  }

  has(userId: UserId): boolean {
    return this.#users.has(userId);
  }

  /** A fact, each of them in their order. */
  hear(fact: RecordedFact): void {
    if (fact.type === 'pusher-set') this.#add(userIdOfPushers(fact.stream));
    else if (fact.type === 'pushers-ended') this.#remove(userIdOfPushers(fact.stream));
    else if (this.#users.size > 0 && fact.stream.startsWith(ROOM_STREAM_PREFIX)) this.#move(fact);
  }

  /** Whether nobody in a room is known to have pushers; false where it is not known. */
  isNobodyIn(roomId: RoomId): boolean {
    const room = this.#rooms.get(roomId);
    return room !== undefined && room.isRead && room.members.size === 0 && room.seen === this.#newcomers.length;
  }

  /** The members of a room who have pushers. */
  async in(roomId: RoomId): Promise<UserId[]> {
    let room = this.#rooms.get(roomId);
    if (room === undefined) this.#rooms.set(roomId, (room = this.#open(roomId)));
    await room.read;
    if (room.seen < this.#newcomers.length) await this.#learn(room, roomId);
    return [...room.members];
  }

  /** Looks who is in a room of those that had their first pusher since it was looked at. */
  async #learn(room: PushedRoom, roomId: RoomId): Promise<void> {
    const upTo = this.#newcomers.length;
    const fresh = this.#newcomers.slice(room.seen);
    const rows = await MEMBERS.getMany(
      this.views,
      fresh.map((userId) => [roomId, userId]),
    );
    for (const [i, userId] of fresh.entries())
      if (rows[i]?.membership === 'join' && this.#users.has(userId)) room.members.add(userId);
    // Not before: until then it is not known that nobody is in it.
    room.seen = upTo;
  }

  #add(userId: UserId): void {
    if (this.#users.has(userId)) return;
    this.#users.add(userId);
    this.#newcomers.push(userId);
    if (this.#newcomers.length <= MOST_NEWCOMERS) return;
    this.#newcomers = [];
    this.#rooms.clear();
  }

  #remove(userId: UserId): void {
    this.#users.delete(userId);
    for (const { members, moved } of this.#rooms.values()) {
      members.delete(userId);
      moved.delete(userId);
    }
  }

  #move(fact: RecordedFact): void {
    if (fact.type === 'room-purged') return this.#rooms.delete(roomIdOfStream(fact.stream));
    const touch = touchOf(fact);
    if (touch?.kind !== 'room' || !touch.hasMembers) return;
    // With the rest of a room came more members than it names.
    if (fact.type === 'join-filled') return this.#rooms.delete(roomIdOfStream(fact.stream));
    const room = this.#rooms.get(touch.roomId);
    if (room === undefined) return;
    for (const { userId, membership } of touch.members((one) => this.#users.has(one))) {
      room.moved.set(userId, membership === 'join');
      if (room.isRead) applyMoves(room);
    }
  }

  #open(roomId: RoomId): PushedRoom {
    const members = new Set<UserId>();
    const read = async (): Promise<void> => {
      try {
        for await (const page of ROOM_MEMBERS.pages(this.views, { prefix: [roomId, 'join'] })) {
          for (const { key } of page) if (this.#users.has(key[2])) members.add(key[2]);
        }
        room.isRead = true;
        // Their pushers may have ended meanwhile.
        for (const userId of members) if (!this.#users.has(userId)) members.delete(userId);
        applyMoves(room);
      } catch (error) {
        this.#rooms.delete(roomId);
        throw error;
      }
    };
    const room: PushedRoom = {
      members,
      moved: new Map(),
      seen: this.#newcomers.length,
      // Begins once the room is there to be told of moves.
      read: Promise.resolve().then(read),
      isRead: false,
    };
    return room;
  }
}

function applyMoves({ members, moved }: PushedRoom): void {
  for (const [userId, isIn] of moved) {
    if (isIn) members.add(userId);
    else members.delete(userId);
  }
  moved.clear();
}
