import { readRange } from '#event-store/lmdb/read-range';
import { decodeKey, type KeyRange } from '../key-encoding.js';
import type { RowSource } from '../merge-scan.js';
import type { Row } from '../read-model-store.js';
import type { Rows } from './open-environment.js';

/** What LMDB wants to hear: backwards it starts at the upper end. */
function lmdbRange({ from, to }: KeyRange, reverse: boolean): object {
  return reverse
    ? { start: to, exclusiveStart: true, end: from, inclusiveEnd: true, reverse: true }
    : { start: from, end: to };
}

/** The rows of a range, at most `limit`. */
export function scanStored(rows: Rows, range: KeyRange, reverse: boolean, limit: number): Row[] {
  const found: Row[] = [];
  for (const { key, value } of readRange(rows.getRange({ ...lmdbRange(range, reverse), limit }))) {
    found.push({ key: decodeKey(key), value });
  }
  return found;
}

/** The rows of a range one by one, to be merged with others. */
export function storedSource(rows: Rows, range: KeyRange, reverse: boolean): RowSource {
  const entries = rows.getRange(lmdbRange(range, reverse))[Symbol.iterator]();
  const source = {
    key: '',
    value: '',
    next() {
      const step = entries.next();
      if (step.done === true) return false;
      source.key = step.value.key;
      source.value = step.value.value;
      return true;
    },
    close() {
      entries.return?.();
    },
  };
  return source;
}
