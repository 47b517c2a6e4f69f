import type { Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { ActiveUser } from './active-user.js';
import type { RowsOfUsers } from './rows-of-users.js';

/** A user whose last request is longer ago is loaded again when there is another. */
const IDLE_MS = 5 * 60_000;
const SWEEP_MS = 60_000;
const MAX_USERS = 20_000;

/** The users who are in memory: those who ask now or did lately. */
export class LoadedUsers {
  readonly #users = new Map<UserId, ActiveUser>();
  readonly #loading = new Map<UserId, Promise<ActiveUser>>();
  #sweptAt = -Infinity;

  /** `heard`: what was heard of last; `onDrop`: what else is kept of somebody who is not kept any more. */
  constructor(
    private readonly rows: Pick<RowsOfUsers, 'read'>,
    private readonly stopwatch: Stopwatch,
    private readonly heard: () => Position,
    private readonly onDrop: (user: ActiveUser) => void,
  ) {}

  get size(): number {
    return this.#users.size;
  }

  has(userId: UserId): boolean {
    return this.#users.has(userId);
  }

  /** Who is in memory already. */
  find(userId: UserId): ActiveUser | undefined {
    return this.#users.get(userId);
  }

  values(): Iterable<ActiveUser> {
    return this.#users.values();
  }

  /** Somebody who asks; loaded where they are not in memory. */
  get(userId: UserId): Promise<ActiveUser> | ActiveUser {
    const now = this.stopwatch.elapsed();
    this.#sweep(now);
    const known = this.#users.get(userId);
    if (known !== undefined) known.usedAt = now;
    return this.#loading.get(userId) ?? known ?? this.#load(userId, now);
  }

  async #load(userId: UserId, now: number): Promise<ActiveUser> {
    // In the map before the views are read: what happens meanwhile is noted, and the older row then changes nothing.
    const user = new ActiveUser(userId, this.heard(), now);
    this.#users.set(userId, user);
    const loading = this.rows.read(user).then(() => user);
    this.#loading.set(userId, loading);
    try {
      return await loading;
    } catch (error) {
      this.#drop(user);
      throw error;
    } finally {
      this.#loading.delete(userId);
    }
  }

  #drop(user: ActiveUser): void {
    this.#users.delete(user.userId);
    this.onDrop(user);
  }

  #sweep(now: number): void {
    const crowded = this.#users.size >= MAX_USERS;
    if (!crowded && now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    const limit = crowded ? now - SWEEP_MS / 4 : now - IDLE_MS;
    for (const user of this.#users.values()) {
      if (user.usedAt < limit && user.interests.size === 0 && !this.#loading.has(user.userId)) this.#drop(user);
    }
  }
}
