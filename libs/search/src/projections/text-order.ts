import type { Position } from '#kernel/position';
import type { ShelfRow, TextHead } from './shelf-row.js';

/**
 * A place in the one order in which all texts are looked at, the newest first: by their times, and at the same one what was news before
 * what was fetched from the past. Each shelf is in this order: of the past what was fetched first comes first, for it is fetched backwards.
 */
export interface TextKey {
  readonly time: number;
  readonly isHistory: boolean;
  /** Undefined: behind all texts of this time. */
  readonly position: Position | undefined;
  /** Of several events of the past at one position, which came into force together. */
  readonly carriedAs?: number;
}

/** Whether a place comes later in the order than another. */
export function isBehind(a: TextKey, b: TextKey): boolean {
  if (a.time !== b.time) return a.time < b.time;
  if (a.position === undefined || b.position === undefined) return a.position === undefined && b.position !== undefined;
  if (a.isHistory !== b.isHistory) return a.isHistory;
  if (a.position === b.position) return (a.carriedAs ?? -1) > (b.carriedAs ?? -1);
  return a.isHistory ? a.position > b.position : a.position < b.position;
}

/** The place just before all texts of a time. */
export function beforeTime(time: number): TextKey {
  return { time: time + 1, isHistory: true, position: undefined };
}

/** What is known of when an event came to be. */
export interface EventTimes {
  /** Whether it was fetched from the past, with what came before and after it there. */
  readonly isPast: boolean;
  /** When this server took it, in milliseconds since the epoch. */
  readonly takenAt: number;
  /** origin_server_ts, where that can be a time. */
  readonly sentAt: number | undefined;
}

/**
 * The time by which a text stands behind the others of its shelf: that at which it came, of the past that at which it was sent. Clocks that
 * were put back, and times that servers make up, do not move it to before those.
 */
export function timeOnShelf(
  { next, lastTime }: Pick<ShelfRow, 'next' | 'lastTime'>,
  isHistory: boolean,
  { isPast, takenAt, sentAt }: EventTimes,
): TextHead['time'] {
  if (!isHistory) return Math.max(lastTime, takenAt);
  const time = (isPast ? sentAt : undefined) ?? takenAt;
  return next === 0 ? time : Math.min(lastTime, time);
}
