/**
 * A place in the global order of the log, given by the log itself: decimal digits of one width, so that the order of the
 * strings is the order of the facts in any store. The only clock of the read side: sync tokens and checkpoints are positions.
 *
 * Opaque: two can be compared, and nothing else. What lies between two of them depends on the log (one embedded counts its
 * facts, a server counts bytes), and a server takes no position that it has not given: so nobody computes with them
 * outside the log's adapters. How far apart two are is told by `EventStore.distance`, what comes just before one by a `Place`.
 */
export type Position = string & { readonly __brand: 'Position' };

/** As many as the largest position of any log needs: 2^63 - 1. */
const DIGITS = 19;
const ZERO = 48;
const LARGEST = '9223372036854775807';

/** Before the first fact. */
export const START: Position = '0'.repeat(DIGITS) as Position;

/** Takes a text for a position; undefined where it is none. */
export function parsePosition(text: string): Position | undefined {
  return /^\d{19}$/.test(text) && text <= LARGEST ? (text as Position) : undefined;
}

/** Reads a position written without its leading zeros; undefined for anything else. */
export function parseShortPosition(digits: string): Position | undefined {
  return /^\d{1,19}$/.test(digits) ? parsePosition(digits.padStart(DIGITS, '0')) : undefined;
}

/** A position without its leading zeros: for tokens, and for rows. */
export function shortPosition(position: Position): string {
  let zeros = 0;
  while (zeros < DIGITS - 1 && position.charCodeAt(zeros) === ZERO) zeros++;
  return position.slice(zeros);
}

/** The position that `shortPosition` made these digits of. PERF: they are not looked at again, as of a row that is read (docs/performance.md). */
export function longPosition(digits: string): Position {
  return (START.slice(digits.length) + digits) as Position;
}

/** The later of two positions. */
export function laterOf(a: Position, b: Position): Position {
  return a > b ? a : b;
}

/** A place between two facts of the log: just after the one at a position, or just before it. */
export type Place = Position | JustBefore;

/** Just before the fact at a position, after whatever comes before it. */
export interface JustBefore {
  readonly before: Position;
}

/** Whether the fact at a position comes after a place. */
export function isAfter(position: Position, place: Place): boolean {
  return typeof place === 'string' ? position > place : position >= place.before;
}

/** The order of places: negative, zero or positive, for `sort`. */
export function comparePlaces(a: Place, b: Place): number {
  const left = typeof a === 'string' ? a : a.before;
  const right = typeof b === 'string' ? b : b.before;
  if (left !== right) return left < right ? -1 : 1;
  return Number(typeof a === 'string') - Number(typeof b === 'string');
}

/** A place as part of a token. */
export function formatPlace(place: Place): string {
  return typeof place === 'string' ? shortPosition(place) : `b${shortPosition(place.before)}`;
}

/** Reads what `formatPlace` wrote; undefined for anything else. */
export function parsePlace(text: string): Place | undefined {
  if (!text.startsWith('b')) return parseShortPosition(text);
  const before = parseShortPosition(text.slice(1));
  return before === undefined ? undefined : { before };
}
