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
  readonly list_ask?: string;
  readonly watch_ask?: string;
}

type Bucket = ReadonlyMap<UserId, Relation>;

/** So many pieces: of the most that one user has, a change copies some twenty entries. */
const BUCKETS = 128;
const EMPTY: Bucket = new Map();

/**
 * A user's relations. A change answers new ones that share with the old all but a small piece: a request changes a thousand of them, each upon what
 * the one before has made, and to copy all for each would take the square of that.
 */
export class Relations {
  static readonly none = new Relations(
    Array.from({ length: BUCKETS }, () => EMPTY),
    0,
    0,
  );

  private constructor(
    private readonly buckets: readonly Bucket[],
    /** How many are on the list. */
    readonly listed: number,
    /** How many wait to be answered. */
    readonly asking: number,
  ) {}

  get(userId: UserId): Relation | undefined {
    return this.buckets[bucketOf(userId)]?.get(userId);
  }

  /** These with one as it is now; without it where nothing is left of it. */
  with(userId: UserId, relation: Relation): Relations {
    const at = bucketOf(userId);
    const bucket = new Map(this.buckets[at]);
    const before = bucket.get(userId) ?? {};
    if (isNone(relation)) bucket.delete(userId);
    else bucket.set(userId, relation);
    const changed = (is: (one: Relation) => boolean): number => Number(is(relation)) - Number(is(before));
    return new Relations(
      this.buckets.with(at, bucket),
      this.listed + changed(isListed),
      this.asking + changed(isAsking),
    );
  }

  *[Symbol.iterator](): Generator<readonly [UserId, Relation], void> {
    for (const bucket of this.buckets) yield* bucket;
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

function bucketOf(userId: UserId): number {
  let hash = 0;
  for (let i = 0; i < userId.length; i++) hash = (hash * 31 + userId.charCodeAt(i)) | 0;
  return (hash >>> 0) % BUCKETS;
}
