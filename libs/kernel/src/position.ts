/**
 * A place in the global order of the log: 16 decimal digits, so that the order of the strings is the order of the facts in
 * any store. The only clock of the read side: sync tokens and checkpoints are positions.
 */
export type Position = string & { readonly __brand: 'Position' };

const DIGITS = 16;

/** Before the first fact. */
export const START: Position = '0'.repeat(DIGITS) as Position;

/** Makes a position of a non-negative safe integer. */
export function positionOf(value: number | bigint): Position {
  if (value < 0 || value > Number.MAX_SAFE_INTEGER) throw new RangeError(`no position: ${value}`);
  return value.toString().padStart(DIGITS, '0') as Position;
}

/** Reads a position written by `positionOf`; undefined for anything else. */
export function parsePosition(text: string): Position | undefined {
  return /^\d{16}$/.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER ? (text as Position) : undefined;
}

/** The number behind a position: for distances (lag, progress), not for ordering. */
export function positionNumber(position: Position): number {
  return Number(position);
}
