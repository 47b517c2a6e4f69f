import { randomBytes } from 'node:crypto';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { namesRoom, type TypingMark, typingHashOf } from '#http/tokens/typing-mark';
import type { RoomId, UserId } from '#kernel/ids';

interface RoomTyping {
  /** The sequence number of the last change of the list. */
  changed: number;
  /** Those who type, with what ends it. */
  readonly timers: Map<UserId, NodeJS.Timeout>;
}

export type TypingListener = (roomId: RoomId) => void;
/** Told of each user who begins to type, says again that they do, or ends it. */
export type TypistListener = (roomId: RoomId, userId: UserId, types: boolean) => void;

/** The longest a user is shown as typing without saying so again. */
const MAX_TIMEOUT_MS = 120_000;
/** How many rooms are remembered in which somebody typed lately: their clients still have to hear that nobody does. */
const QUIET_ROOMS = 10_000;
/** The most rooms that a mark names, and that are looked at to find them. */
const MAX_NAMED = 32;
const MAX_LOOKED_AT = 2_000;
const NOBODY: ReadonlySet<UserId> = new Set();

/**
 * Who is typing where (client-server API, "Typing Notifications"): in the memory of this process only, no part of the log.
 * Every change of a room's list has a number, counted from the start of the process. Clients keep in their tokens which run
 * of the server they heard of it from, and in which of their rooms somebody typed: so one that comes with the token of an
 * earlier run hears that this has ended.
 */
@Injectable()
export class Typing implements OnModuleDestroy {
  readonly #run = randomBytes(4).toString('hex');
  /** In the order of the last changes. */
  readonly #rooms = new Map<RoomId, RoomTyping>();
  /** The rooms in which somebody types now, by their hashes. */
  readonly #busy = new Map<RoomId, string>();
  readonly #listeners = new Set<TypingListener>();
  readonly #typistListeners = new Set<TypistListener>();
  #sequence = 0;
  /** What changed in rooms that are not remembered any more, it changed up to here. */
  #floor = 0;

  /** Where a client stands that is told of typing now, in the rooms it hears of. */
  mark(hears: (roomId: RoomId) => boolean): TypingMark {
    return { run: this.#run, sequence: this.#sequence, rooms: this.#namedRooms(hears) };
  }

  /** Shows a user as typing for so many milliseconds; saying so again replaces the time. */
  start(roomId: RoomId, userId: UserId, timeoutMs: number): void {
    const room = this.#rooms.get(roomId) ?? { changed: 0, timers: new Map<UserId, NodeJS.Timeout>() };
    const running = room.timers.get(userId);
    clearTimeout(running);
    const timer = setTimeout(() => this.stop(roomId, userId), Math.min(timeoutMs, MAX_TIMEOUT_MS));
    timer.unref();
    room.timers.set(userId, timer);
    if (running === undefined) this.#changed(roomId, room);
    for (const listener of this.#typistListeners) listener(roomId, userId, true);
  }

  /** Shows a user as typing no more. */
  stop(roomId: RoomId, userId: UserId): void {
    const room = this.#rooms.get(roomId);
    const timer = room?.timers.get(userId);
    if (room === undefined || timer === undefined) return;
    clearTimeout(timer);
    room.timers.delete(userId);
    this.#changed(roomId, room);
    for (const listener of this.#typistListeners) listener(roomId, userId, false);
    this.#forgetQuietRooms();
  }

  /** Shows a user as typing nowhere. */
  stopEverywhere(userId: UserId): void {
    for (const roomId of this.#busy.keys()) this.stop(roomId, userId);
  }

  /** Whether anybody types in a room. */
  isBusy(roomId: RoomId): boolean {
    return this.#busy.has(roomId);
  }

  /** Who is typing in a room, in the order in which they began, without those whom the reader ignores. */
  listTyping(roomId: RoomId, ignored: ReadonlySet<UserId> = NOBODY): UserId[] {
    const users = [...(this.#rooms.get(roomId)?.timers.keys() ?? [])];
    return ignored.size === 0 ? users : users.filter((userId) => !ignored.has(userId));
  }

  /**
   * Whether a client that stands at `since`, and at `until` (of this run) once it has the answer, has to be told of a room's
   * list. What changed after `until` is left for the next answer: the client's token would not know of it.
   */
  hasNews(roomId: RoomId, since: TypingMark, until: TypingMark): boolean {
    const room = this.#rooms.get(roomId);
    if (room !== undefined && room.changed > until.sequence) return false;
    if (since.run !== this.#run) return this.#busy.has(roomId) || namesRoom(since, roomId);
    if (room !== undefined) return room.changed > since.sequence;
    return since.sequence < this.#floor && namesRoom(since, roomId);
  }

  /** As `hasNews` for a client that begins: where somebody typed lately also that nobody does, for it may still show what it heard before. */
  hasNewsForBeginner(roomId: RoomId, until: TypingMark): boolean {
    const room = this.#rooms.get(roomId);
    return room !== undefined && room.changed <= until.sequence;
  }

  /** Whether no list has changed since, so that `hasNews` is false of every room. */
  isQuietSince(since: TypingMark): boolean {
    return since.run === this.#run && since.sequence >= this.#sequence;
  }

  /** Calls the listener after each change of a room's list. Answers how to end that. */
  onChange(listener: TypingListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls the listener of each user by themself, as they say it. Answers how to end that. */
  onTypist(listener: TypistListener): () => void {
    this.#typistListeners.add(listener);
    return () => this.#typistListeners.delete(listener);
  }

  onModuleDestroy(): void {
    for (const { timers } of this.#rooms.values()) for (const timer of timers.values()) clearTimeout(timer);
    this.#rooms.clear();
    this.#busy.clear();
  }

  #namedRooms(hears: (roomId: RoomId) => boolean): TypingMark['rooms'] {
    if (this.#busy.size > MAX_LOOKED_AT) return 'all';
    const named: string[] = [];
    for (const [roomId, hash] of this.#busy) {
      if (!hears(roomId)) continue;
      if (named.length === MAX_NAMED) return 'all';
      named.push(hash);
    }
    return named;
  }

  #changed(roomId: RoomId, room: RoomTyping): void {
    room.changed = ++this.#sequence;
    this.#rooms.delete(roomId); // put behind the others: the map is in the order of the last changes
    this.#rooms.set(roomId, room);
    if (room.timers.size === 0) this.#busy.delete(roomId);
    else if (!this.#busy.has(roomId)) this.#busy.set(roomId, typingHashOf(roomId));
    for (const listener of this.#listeners) listener(roomId);
  }

  #forgetQuietRooms(): void {
    if (this.#rooms.size <= QUIET_ROOMS) return;
    for (const [roomId, { timers, changed }] of this.#rooms) {
      if (timers.size > 0) continue;
      this.#rooms.delete(roomId);
      this.#floor = Math.max(this.#floor, changed);
      return;
    }
  }
}
