import { decodeKey, encodeKey, type KeyRange } from './key-encoding.js';
import type { Row } from './read-model-store.js';
import { lowerBound, type PendingCollection } from './pending-rows.js';

/** Rows in order, one at a time. `value: null` hides the row of an older source. */
export interface RowSource {
  /** Steps to the next row; false at the end. */
  next(): boolean;
  readonly key: string;
  readonly value: string | null;
  /** Gives back what it holds. Called once, also before the end. */
  close(): void;
}

/** The rows of a range that wait in a collection; undefined where none does. */
export function pendingSource(
  pending: PendingCollection | undefined,
  range: KeyRange,
  reverse: boolean,
): RowSource | undefined {
  if (pending === undefined) return undefined;
  const keys = pending.sortedKeys();
  const first = lowerBound(keys, range.from);
  const end = lowerBound(keys, range.to);
  if (first >= end) return undefined;
  const step = reverse ? -1 : 1;
  let at = reverse ? end : first - 1;
  const source = {
    key: '',
    value: null as string | null,
    next() {
      at += step;
      if (at < first || at >= end) return false;
      source.key = keys[at]!;
      source.value = pending.values.get(source.key) ?? null;
      return true;
    },
    close() {},
  };
  return source;
}

/** Rows that were read already, in the order of the scan. */
export function rowsSource(rows: readonly Row[]): RowSource {
  let at = -1;
  const source = {
    key: '',
    value: '',
    next() {
      const row = rows[++at];
      if (row === undefined) return false;
      source.key = encodeKey(row.key);
      source.value = row.value;
      return true;
    },
    close() {},
  };
  return source;
}

/**
 * The first `limit` rows of all sources together. Where two have the same key, the one named first is right. PERF: nothing is read behind
 * the last of them, and no closure is made: many ask for one row (bench/receive.ts).
 */
export function mergeScan(sources: readonly RowSource[], reverse: boolean, limit: number): Row[] {
  const rows: Row[] = [];
  try {
    const live: RowSource[] = [];
    for (const source of sources) if (source.next()) live.push(source);
    while (live.length > 0 && rows.length < limit) {
      let next = live[0]!;
      for (const source of live) if (source.key !== next.key && source.key < next.key !== reverse) next = source;
      const { key, value } = next;
      if (value !== null) rows.push({ key: decodeKey(key), value });
      if (rows.length === limit) break;
      for (let i = live.length - 1; i >= 0; i--) if (live[i]!.key === key && !live[i]!.next()) live.splice(i, 1);
    }
  } finally {
    for (const source of sources) source.close();
  }
  return rows;
}
