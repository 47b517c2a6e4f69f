import { parseShortPosition, type Position } from '#kernel/position';

/*
 * What positions are in this log alone: the first fact stands at 1, and each next one at the next number. Only where a log was
 * restored from a backup does it leap, over all numbers that the lost part may have had.
 */

/** So many positions a log has between two restorations: more than it could fill in a year at 30,000 facts a second. */
export const LIFE = 10 ** 12;

/** Where the fact stands that says of a log that it was restored, given the last one before it. */
export function positionAfterRestore(last: number): number {
  return (Math.floor(last / LIFE) + 1) * LIFE + 1;
}

/** The position of the n-th fact. Throws RangeError where there can be none. */
export function positionOf(n: number): Position {
  const position = Number.isSafeInteger(n) ? parseShortPosition(String(n)) : undefined;
  if (position === undefined) throw new RangeError(`no position: ${n}`);
  return position;
}

/** How many facts there are up to a position. */
export function positionNumber(position: Position): number {
  return Number(position);
}

/** Where the fact stands that comes next after the one at a position. */
export function followingPosition(position: Position): Position {
  return positionOf(positionNumber(position) + 1);
}
