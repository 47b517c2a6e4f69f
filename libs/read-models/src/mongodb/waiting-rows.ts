import type { Write } from '../read-model-store.js';
import { nameIn } from './life-names.js';
import { idOf } from './row-ids.js';

/** What one call of `write` writes to the views of some life. Throws RangeError for a key that is too long, before anything is taken up. */
export class WrittenTogether {
  readonly rows: readonly (readonly [collection: string, id: string, value: string | null])[];
  /** Where the last row is, which tells of all others; undefined where there are none in other collections: a collection is written in order. */
  readonly last: string | undefined;

  constructor(writes: readonly Write[], life: string | undefined) {
    this.rows = writes.map(({ collection, key, value }) => [nameIn(life, collection), idOf(key), value] as const);
    const last = this.rows.at(-1)?.[0];
    this.last = this.rows.some(([name]) => name !== last) ? last : undefined;
  }
}

/** The rows of several calls, which go to the server together: the last collection when the others are there (`write-rows.ts`). */
export class WaitingRows {
  /** By collection and id, null to delete. */
  readonly rows = new Map<string, Map<string, string | null>>();
  characters = 0;
  #last: string | undefined;

  /** Whether the last rows of all calls come last then: a checkpoint does, also where a snapshot is written after it. */
  canTake({ last }: WrittenTogether): boolean {
    return last === undefined || this.#last === undefined || this.#last === last;
  }

  take({ rows, last }: WrittenTogether): void {
    for (const [collection, id, value] of rows) {
      let own = this.rows.get(collection);
      if (own === undefined) this.rows.set(collection, (own = new Map()));
      own.delete(id); // what is written last comes last
      own.set(id, value);
      this.characters += value?.length ?? 0;
    }
    this.#last ??= last;
    const own = this.#last === undefined ? undefined : this.rows.get(this.#last);
    if (own === undefined) return;
    this.rows.delete(this.#last!);
    this.rows.set(this.#last!, own);
  }
}
