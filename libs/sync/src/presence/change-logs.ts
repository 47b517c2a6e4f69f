import type { UserId } from '#kernel/ids';
import { ChangeLog } from './change-log.js';

/** Whose presence changed, by what lets others hear of it: rooms, or those who follow them by a list. */
export class ChangeLogs<K extends string> {
  readonly #logs = new Map<K, ChangeLog>();
  /** In which of them a user stands. */
  readonly #keysOf = new Map<UserId, Set<K>>();

  /** Who changed there; undefined: nobody did. */
  of(key: K): ChangeLog | undefined {
    return this.#logs.get(key);
  }

  /** Where a user stands. */
  keysOf(userId: UserId): ReadonlySet<K> | undefined {
    return this.#keysOf.get(userId);
  }

  note(key: K, userId: UserId, number: number): void {
    let log = this.#logs.get(key);
    if (log === undefined) this.#logs.set(key, (log = new ChangeLog()));
    log.note(userId, number);
    const keys = this.#keysOf.get(userId);
    if (keys === undefined) this.#keysOf.set(userId, new Set([key]));
    else keys.add(key);
  }

  /** A user stands there no more. */
  remove(key: K, userId: UserId): void {
    this.#keysOf.get(userId)?.delete(key);
    const log = this.#logs.get(key);
    log?.delete(userId);
    if (log?.size === 0) this.#logs.delete(key);
  }

  /** A user stands nowhere any more. */
  forget(userId: UserId): void {
    for (const key of this.#keysOf.get(userId) ?? []) this.remove(key, userId);
    this.#keysOf.delete(userId);
  }
}
