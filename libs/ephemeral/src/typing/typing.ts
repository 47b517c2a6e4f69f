import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId, UserId } from '#kernel/ids';

interface RoomTyping {
  /** The sequence number of the last change of the list. */
  changed: number;
  readonly timers: Map<UserId, NodeJS.Timeout>;
}

export type TypingListener = (roomId: RoomId) => void;

/** The longest a user is shown as typing without saying so again. */
const MAX_TIMEOUT_MS = 120_000;
/** How many rooms are remembered in which somebody typed lately: their clients still have to hear that nobody does. */
const QUIET_ROOMS = 10_000;

/**
 * Who is typing where (client-server API, "Typing Notifications"): in the memory of this process only, no part of the log.
 * Every change of a room's list has a number; the numbers grow, over restarts too, because they begin at the time of the
 * start in milliseconds.
 */
@Injectable()
export class Typing implements OnModuleDestroy {
  readonly #rooms = new Map<RoomId, RoomTyping>();
  readonly #listeners = new Set<TypingListener>();
  #sequence: number;

  constructor(@Inject(CLOCK) clock: Clock) {
    this.#sequence = clock.now();
  }

  /** The number of the last change in any room. */
  get sequence(): number {
    return this.#sequence;
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
  }

  /** Shows a user as typing no more. */
  stop(roomId: RoomId, userId: UserId): void {
    const room = this.#rooms.get(roomId);
    const timer = room?.timers.get(userId);
    if (room === undefined || timer === undefined) return;
    clearTimeout(timer);
    room.timers.delete(userId);
    this.#changed(roomId, room);
    this.#forgetQuietRooms();
  }

  /** Who is typing in a room, in the order in which they began. */
  listTyping(roomId: RoomId): UserId[] {
    return [...(this.#rooms.get(roomId)?.timers.keys() ?? [])];
  }

  /** Whether a room's list changed after a number of an earlier moment. */
  hasChangedSince(roomId: RoomId, sequence: number): boolean {
    const room = this.#rooms.get(roomId);
    return room !== undefined && room.changed > sequence;
  }

  /** Calls the listener after each change of a room's list. Answers how to end that. */
  onChange(listener: TypingListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onModuleDestroy(): void {
    for (const { timers } of this.#rooms.values()) for (const timer of timers.values()) clearTimeout(timer);
    this.#rooms.clear();
  }

  #changed(roomId: RoomId, room: RoomTyping): void {
    room.changed = ++this.#sequence;
    this.#rooms.delete(roomId); // put behind the others: the map is in the order of the last changes
    this.#rooms.set(roomId, room);
    for (const listener of this.#listeners) listener(roomId);
  }

  #forgetQuietRooms(): void {
    if (this.#rooms.size <= QUIET_ROOMS) return;
    for (const [roomId, { timers }] of this.#rooms) {
      if (timers.size > 0) continue;
      this.#rooms.delete(roomId);
      return;
    }
  }
}
