import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';

interface KeyChanged {
  readonly position: Position;
  readonly userId: UserId;
}

const MOST = 2_000;

/** Whose devices or keys changed lately. Bounded: of what happened up to the floor, not all is remembered. */
export class RecentKeyChanges {
  #changes: KeyChanged[] = [];

  constructor(private floor: Position) {}

  /** Notes a change. Positions come in order. */
  note(userId: UserId, position: Position): void {
    this.#changes.push({ userId, position });
    if (this.#changes.length <= 2 * MOST) return;
    this.floor = this.#changes[MOST - 1]!.position;
    this.#changes = this.#changes.slice(MOST);
  }

  /** Whose changed after a position (exclusive) up to another; undefined where that is not remembered. */
  between(after: Position, upTo: Position): ReadonlySet<UserId> | undefined {
    if (after < this.floor) return undefined;
    const users = new Set<UserId>();
    for (let i = this.#changes.length - 1; i >= 0; i--) {
      const { position, userId } = this.#changes[i]!;
      if (position <= after) break;
      if (position <= upTo) users.add(userId);
    }
    return users;
  }
}
