import type { PendingRows } from '../pending-rows.js';
import { ViewsNotRenewed } from '../read-model-errors.js';

/** What was changed in the file: to be brought to a copy of it that was begun before. */
export interface Written {
  /** The collections that were emptied, before all else. */
  readonly dropped: ReadonlySet<string>;
  /** The encoded keys that were written or deleted since, by collection. */
  readonly keys: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Some 40 MB. */
const MOST_KEYS = 200_000;

/** Notes which keys reach the file while it is copied. Not their values: the file has those. */
export class WrittenKeys {
  #dropped = new Set<string>();
  #keys = new Map<string, Set<string>>();
  #count = 0;
  #overfull: ViewsNotRenewed | undefined;

  /** `onOverfull`: told once that there are more than can be kept. None are noted from then on. */
  constructor(
    private readonly onOverfull: (reason: ViewsNotRenewed) => void,
    private readonly most = MOST_KEYS,
  ) {}

  /** How many keys are noted. */
  get count(): number {
    return this.#count;
  }

  /** Notes a group of rows that is in the file. */
  note(group: PendingRows): void {
    if (this.#overfull !== undefined) return;
    for (const [collection, { values }] of group.collections) {
      let keys = this.#keys.get(collection);
      if (keys === undefined) this.#keys.set(collection, (keys = new Set()));
      this.#count -= keys.size;
      for (const key of values.keys()) keys.add(key);
      this.#count += keys.size;
    }
    if (this.#count <= this.most) return;
    this.take();
    this.#overfull = new ViewsNotRenewed('more is written than can be kept in mind while they are copied');
    this.onOverfull(this.#overfull);
  }

  /** Notes that a collection was emptied. */
  noteDropped(collection: string): void {
    this.#dropped.add(collection);
    this.#count -= this.#keys.get(collection)?.size ?? 0;
    this.#keys.delete(collection);
  }

  /** Hands over what is noted, and begins anew. Throws ViewsNotRenewed where there was too much of it. */
  take(): Written {
    if (this.#overfull !== undefined) throw this.#overfull;
    const written = { dropped: this.#dropped, keys: this.#keys };
    this.#dropped = new Set();
    this.#keys = new Map();
    this.#count = 0;
    return written;
  }
}
