import type { Database, RootDatabase } from 'lmdb';
import { readRange } from './read-range.js';

/** Fills a page to its end, so that each takes one by itself. */
const FILLER_BYTES = 4000;
const PAGES_AT_ONCE = 4000;
const RECORDS_AT_ONCE = 2000;
/**
 * As many records as stand in a page, or nearly so: a page that is split, or merged with the next, leaves something of its records
 * where they were.
 */
const NEIGHBOURS = 64;
/** Pages are given out again two transactions after they became free: filled before, the file would grow instead. */
const ROUNDS_BEFORE = 2;
/** Readers elsewhere may hold some of them for longer. */
const MOST_ROUNDS = 30;
/** Every transaction leaves a few. */
const FEW_PAGES = 10;

const DUE = 0;
const FILLER = 1;

/**
 * Overwrites what LMDB leaves of facts that were erased. LMDB never writes a page in place: the page as it was becomes free, with
 * all that stood on it, and is written again only when somebody needs it; and where rows have moved within a page, something of
 * them is left between those that are there. So the pages of what was erased are written once more, which leaves that out; and then
 * all free pages are taken, filled with zeros, and given back. Those that a reader in another process still looks at are not free
 * yet: what is there goes when somebody needs them.
 */
export class FreePages {
  /** By position: what was erased since the last time. And, while they are filled, the pages. */
  readonly #rows: Database<Buffer, Buffer>;
  #rounds = 0;

  constructor(
    private readonly root: RootDatabase,
    private readonly records: Database<unknown, number>,
    private readonly others: readonly { getStats(): object }[],
  ) {
    this.#rows = root.openDB<Buffer, Buffer>({ name: 'overwriting', keyEncoding: 'binary', encoding: 'binary' });
  }

  /** Whether something was erased whose pages have not been overwritten. */
  isDue(): boolean {
    return this.#rows.getKeysCount({ limit: 1 }) > 0;
  }

  /** Inside a write transaction that erases a record: it will be overwritten, also where this process ends before. */
  noteErased(position: number): void {
    void this.#rows.put(keyOf(DUE, position), Buffer.alloc(0));
  }

  /** Inside a write transaction of its own, again and again until it answers that it is done. */
  overwrite(): boolean {
    if (this.#rewriteRecords()) return false;
    const free = this.#count();
    const round = this.#rounds++;
    if (round > ROUNDS_BEFORE + 1 && (free <= FEW_PAGES || round >= MOST_ROUNDS)) {
      this.#rounds = 0;
      this.#rows.clearSync();
      return true;
    }
    const taken = round < ROUNDS_BEFORE ? 1 : Math.min(free, PAGES_AT_ONCE);
    const page = Buffer.alloc(FILLER_BYTES);
    for (let each = 0; each < taken; each++) {
      void this.#rows.put(keyOf(FILLER, round * PAGES_AT_ONCE + each), page);
    }
    return false;
  }

  /** Writes records as they are: LMDB copies their pages, and not what is left between the rows of a page. */
  #rewriteRecords(): boolean {
    const range = { start: keyOf(DUE, 0), end: keyOf(FILLER, 0), limit: RECORDS_AT_ONCE };
    const keys = [...readRange(this.#rows.getKeys(range))].map((key) => Buffer.from(key));
    const positions = new Set<number>();
    for (const key of keys) {
      if (positions.size >= RECORDS_AT_ONCE) break;
      const position = key.readDoubleBE(1);
      for (let near = Math.max(1, position - NEIGHBOURS); near <= position + NEIGHBOURS; near++) positions.add(near);
      void this.#rows.remove(key);
    }
    for (const position of positions) {
      const record = this.records.getBinary(position);
      if (record !== undefined) void this.records.put(position, Buffer.from(record));
    }
    return keys.length > 0;
  }

  /** How many pages of the file are in no table. */
  #count(): number {
    const { lastPageNumber, root, free } = this.root.getStats() as Stats & EnvironmentStats;
    const used = [this.records, this.#rows, ...this.others].map((table) => table.getStats() as Stats);
    return [...used, root, free].reduce(
      (left, { treeBranchPageCount, treeLeafPageCount, overflowPages }) =>
        left - treeBranchPageCount - treeLeafPageCount - overflowPages,
      lastPageNumber - 1,
    );
  }
}

function keyOf(kind: number, number: number): Buffer {
  const key = Buffer.alloc(9);
  key[0] = kind;
  key.writeDoubleBE(number, 1);
  return key;
}

interface Stats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface EnvironmentStats {
  readonly lastPageNumber: number;
  readonly root: Stats;
  readonly free: Stats;
}
