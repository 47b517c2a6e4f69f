import { parseShortPosition, type Position } from '#kernel/position';

/** A position of a log that numbers its facts from 1, for tests: real code gets positions from the log. */
export function positionOf(value: number | bigint): Position {
  const position = parseShortPosition(String(value));
  if (position === undefined) throw new RangeError(`no position: ${value}`);
  return position;
}

/** The number that `positionOf` made a position of. */
export function positionNumber(position: Position): number {
  return Number(position);
}
