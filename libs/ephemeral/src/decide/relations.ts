import { Drawers } from '#kernel/drawers';
import type { UserId } from '#kernel/ids';

/** How two users stand to each other, as one of them has it: each side is absent where nothing was asked, or it is over. */
export interface Relation {
  /** The other is on the list: asked for their permission, or with it. */
  readonly listed?: 'asked' | 'accepted';
  /** The groups the other is in, as long as they are on the list. */
  readonly groups?: readonly string[];
  /** The other asks to see the owner, or may. */
  readonly watches?: 'asked' | 'accepted';
  /** The owner did not let the other see them, and did not let them since. */
  readonly declined?: true;
  /** Which time it was that they asked: the owner, and the other. */
  readonly list_ask?: number;
  readonly watch_ask?: number;
  /** Which time of the other's the owner refused last, and has let them see since no other: it, and those before, may be told again. */
  readonly refused_ask?: number;
}

/** A user's relations. PERF: a request changes a thousand of them, each upon what the one before has made. */
export class Relations {
  static readonly none = new Relations(Drawers.empty<UserId, Relation>(), 0, 0, 0);

  private constructor(
    private readonly all: Drawers<UserId, Relation>,
    /** How many are on the list. */
    readonly listed: number,
    /** How many wait to be answered. */
    readonly asking: number,
    /** The greatest number of what the owner asked or took back, of whomever; 0: none. */
    readonly lastAsk: number,
  ) {}

  get(userId: UserId): Relation | undefined {
    return this.all.get(userId);
  }

  /**
   * These with one as it is now; without it where nothing is left of it, and nothing may be told again. `ask`: the asking of the owner by which it became so.
   */
  with(userId: UserId, relation: Relation, ask = 0): Relations {
    const before = this.get(userId) ?? {};
    const changed = (is: (one: Relation) => boolean): number => Number(is(relation)) - Number(is(before));
    return new Relations(
      isNone(relation) && relation.refused_ask === undefined
        ? this.all.without(userId)
        : this.all.with(userId, relation),
      this.listed + changed(isListed),
      this.asking + changed(isAsking),
      Math.max(this.lastAsk, ask),
    );
  }

  [Symbol.iterator](): Generator<readonly [UserId, Relation], void> {
    return this.all.entries();
  }
}

/** Whether nothing is left of a relation. */
export function isNone({ listed, watches }: Relation): boolean {
  return listed === undefined && watches === undefined;
}

function isListed({ listed }: Relation): boolean {
  return listed !== undefined;
}

/** Whether the other waits to be answered. */
export function isAsking({ watches }: Relation): boolean {
  return watches === 'asked';
}
