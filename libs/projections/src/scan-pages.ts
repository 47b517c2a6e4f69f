import type { Row, ScanOptions } from '#read-models/read-model-store';
import type { OwnRows } from './projector.js';

/** Enough rows that asking again costs little, and few enough to hold. */
export const PAGE = 2_000;

/** All rows of a range, however many, a page at a time. What changes meanwhile may or may not be among them. */
export async function* scanPages(
  rows: Pick<OwnRows, 'scan'>,
  collection: string,
  range: Omit<ScanOptions, 'limit'>,
  size = PAGE,
): AsyncGenerator<readonly Row[], void> {
  let rest = range;
  for (;;) {
    const page = await rows.scan(collection, { ...rest, limit: size });
    if (page.length > 0) yield page;
    if (page.length < size) return;
    rest = behind(range, page);
  }
}

/** What is left of a range behind a page of it. */
export function behind<R extends Omit<ScanOptions, 'limit'>>(range: R, page: readonly Row[]): R {
  const last = page.at(-1)?.key;
  return range.reverse === true ? { ...range, before: last } : { ...range, after: last };
}
