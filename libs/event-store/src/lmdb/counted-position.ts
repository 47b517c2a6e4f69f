import { parseShortPosition, type Position } from '#kernel/position';

/* What positions are in this log alone: the first fact stands at 1, and each next one at the next number. */

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
