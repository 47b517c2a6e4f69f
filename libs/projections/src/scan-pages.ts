import type { Row, ScanOptions } from '#read-models/read-model-store';
import type { OwnRows } from './projector.js';
import { Turn } from './turn.js';

/** Enough rows that asking again costs little, and few enough to hold. */
export const PAGE = 2_000;

/**
 * All rows of a range, however many, a page at a time. What changes meanwhile may or may not be among them. PERF: other work has its turn
 * in between, for a store that has its rows at hand lets nobody wait.
 */
export async function* scanPages(
  rows: Pick<OwnRows, 'scan'>,
  collection: string,
  range: Omit<ScanOptions, 'limit'>,
  size = PAGE,
): AsyncGenerator<readonly Row[], void> {
  const turn = new Turn(1);
  let rest = range;
  for (;;) {
    const page = await rows.scan(collection, { ...rest, limit: size });
    if (page.length > 0) yield page;
    if (page.length < size) return;
    if (turn.isOver()) await turn.pass();
    rest = behind(range, page);
  }
}

/** What is left of a range behind a page of it. */
export function behind<R extends Omit<ScanOptions, 'limit'>>(range: R, page: readonly Row[]): R {
  const last = page.at(-1)?.key;
  return range.reverse === true ? { ...range, before: last } : { ...range, after: last };
}
