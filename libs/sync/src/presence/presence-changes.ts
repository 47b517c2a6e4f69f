import { randomBytes } from 'node:crypto';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { type Followers, Subscribers } from '#ephemeral/lists/subscribers';
import { Presence } from '#ephemeral/presence/presence';
import type { PresenceChange } from '#ephemeral/presence/shown-presence';
import type { PresenceMark } from '#http/tokens/presence-mark';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { RoomId, UserId } from '#kernel/ids';
import type { KnownRoom } from '../notifier/active-user.js';
import { ActiveUsers } from '../notifier/active-users.js';
import type { MembershipFollower } from '../notifier/membership-follower.js';
import type { ChangeLog } from './change-log.js';
import { ChangeLogs } from './change-logs.js';

/** The rooms of a user, and who follows them by a list. */
type Known = readonly [ReadonlyMap<RoomId, KnownRoom>, Followers];

/**
 * Telling somebody of presence, which takes a third of a millisecond, is worth no more of a process than this: as many as hear of it, so
 * long it then waits. Whoever does not wait just now hears of it too: where a thousand come at once hardly anybody does.
 */
const PAUSE_PER_HEARER_MS = 5;
/** "It is acceptable to delay delivery of updates for some small amount of time (10 seconds to a minute)" (2015, "API Efficiency"). */
const MAX_PAUSE_MS = 30_000;
/** What wakes nobody is shown to who asks anyway, so often. */
const QUIET_PAUSE_MS = 10_000;

/**
 * Whose presence changed in which room, and on whose presence list, by numbers counted from the start of the process: so what a reader has to hear of costs as much
 * as changed there. Wakes who waits, all at once for what came meanwhile, and the more seldom the more it wakes.
 */
@Injectable()
export class PresenceChanges implements MembershipFollower, OnModuleDestroy {
  readonly #run = randomBytes(4).toString('hex');
  readonly #inRooms = new ChangeLogs<RoomId>();
  /** By those who follow others by their lists. */
  readonly #onLists = new ChangeLogs<UserId>();
  /** When what users see of themselves changed last. */
  readonly #own = new Map<UserId, number>();
  /** Whom to wake, and whether with those in their rooms. */
  readonly #toWake = new Map<UserId, boolean>();
  readonly #stop: readonly (() => void)[];
  #sequence = 0;
  /** Up to where changes are told: what came since is told once somebody is woken again, or who asks at once would ask without end. */
  #shown = 0;
  #shownAt = -Infinity;
  #quietUntil = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly presence: Presence,
    private readonly active: ActiveUsers,
    private readonly subscribers: Subscribers,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {
    this.#stop = [
      presence.onChange((userId, change) => this.#take(userId, change)),
      subscribers.onChange((observed, observer, follows) => this.#follow(observed, observer, follows)),
    ];
    active.follow(this);
  }

  onModuleDestroy(): void {
    for (const stop of this.#stop) stop();
    clearTimeout(this.#timer);
  }

  /** Where a client stands that is told of presence now; undefined where presence is off. */
  mark(): PresenceMark | undefined {
    if (!this.presence.isOn) return undefined;
    const now = this.stopwatch.elapsed();
    if (this.#timer === undefined && now - this.#shownAt >= QUIET_PAUSE_MS) this.#show(now);
    return { run: this.#run, sequence: this.#shown };
  }

  /** The number up to which the holder of a mark has heard: of another run, of nothing. */
  heardUpTo(mark: PresenceMark | undefined): number {
    return mark?.run === this.#run ? mark.sequence : 0;
  }

  /** Who changed in a room; undefined: nobody did. */
  inRoom(roomId: RoomId): ChangeLog | undefined {
    return this.#inRooms.of(roomId);
  }

  /** Who changed of those whom a user follows by their list; undefined: nobody did. */
  onList(userId: UserId): ChangeLog | undefined {
    return this.#onLists.of(userId);
  }

  /** When what a user sees of themself changed last; 0: never. */
  ofOneself(userId: UserId): number {
    return this.#own.get(userId) ?? 0;
  }

  /** See MembershipFollower. */
  follows(userId: UserId): boolean {
    return this.#inRooms.keysOf(userId) !== undefined || this.presence.knows(userId);
  }

  /** See MembershipFollower. Who comes into a room is news there: those who are there may never have heard of them. */
  moved(userId: UserId, roomId: RoomId, membership: string): void {
    const rooms = this.#inRooms.keysOf(userId);
    if (membership !== 'join') {
      this.#inRooms.remove(roomId, userId);
      // An account that is closed leaves its rooms, and is heard of no more.
      if (rooms?.size === 0 && !this.presence.knows(userId)) this.#forget(userId);
    } else if (rooms?.has(roomId) !== true && this.presence.knows(userId)) {
      this.#inRooms.note(roomId, userId, ++this.#sequence);
      this.#shown = this.#sequence;
    }
  }

  #take(userId: UserId, change: PresenceChange): void {
    if (change === 'forgotten') return this.#forget(userId);
    const [rooms, followers] = [this.active.roomsOf(userId), this.subscribers.of(userId)];
    const note = (of: Known): void => this.#note(userId, of, change);
    // Where these cannot be read, nobody can be told.
    if (rooms instanceof Promise || followers instanceof Promise) Promise.all([rooms, followers]).then(note, () => {});
    else note([rooms, followers]);
  }

  #note(userId: UserId, [rooms, followers]: Known, { ofOthers, wakes }: Exclude<PresenceChange, string>): void {
    const number = ++this.#sequence;
    this.#own.set(userId, number);
    if (ofOthers) {
      for (const [roomId, { membership }] of rooms)
        if (membership === 'join') this.#inRooms.note(roomId, userId, number);
      for (const follower of followers.here) this.#onLists.note(follower, userId, number);
    }
    if (wakes) this.#wakeSoon(userId, ofOthers);
  }

  /** Who follows somebody from now on may never have heard of them. */
  #follow(observed: UserId, observer: UserId, follows: boolean): void {
    if (!follows) return this.#onLists.remove(observer, observed);
    if (!this.presence.knows(observed)) return;
    this.#onLists.note(observer, observed, ++this.#sequence);
    this.#shown = this.#sequence;
  }

  #forget(userId: UserId): void {
    this.#inRooms.forget(userId);
    this.#onLists.forget(userId);
    this.#own.delete(userId);
  }

  #wakeSoon(userId: UserId, ofOthers: boolean): void {
    this.#toWake.set(userId, ofOthers || this.#toWake.get(userId) === true);
    if (this.#timer !== undefined) return;
    const pause = this.#quietUntil - this.stopwatch.elapsed();
    if (pause <= 0) this.#wake();
    else this.#timer = setTimeout(() => this.#wake(), pause).unref();
  }

  #wake(): void {
    this.#timer = undefined;
    const [users, rooms] = [new Set(this.#toWake.keys()), new Set<RoomId>()];
    for (const [userId, ofOthers] of this.#toWake) {
      if (!ofOthers) continue;
      for (const roomId of this.#inRooms.keysOf(userId) ?? []) rooms.add(roomId);
      for (const follower of this.#onLists.keysOf(userId) ?? []) users.add(follower);
    }
    const now = this.stopwatch.elapsed();
    this.#show(now);
    const hearers = this.active.wakeForPresence(users, rooms);
    this.#toWake.clear();
    this.#quietUntil = now + Math.min(MAX_PAUSE_MS, hearers * PAUSE_PER_HEARER_MS);
  }

  #show(now: number): void {
    this.#shown = this.#sequence;
    this.#shownAt = now;
  }
}
