import { parseShortPosition, type Position } from '#kernel/position';

/** What old servers answer for a position they do not know, and others for one they have not looked up, is 2^64 - 1. */
export function isKnown(commit: bigint): boolean {
  return commit < 1n << 63n;
}

/** The position of an event on the server: that of its commit, a place in bytes. Throws where the server told none. */
export function positionOfCommit(commit: bigint): Position {
  const position = parseShortPosition(String(commit));
  if (position === undefined) throw new Error('The event store is too old: it does not tell the position of events');
  return position;
}

/** The commit that a position stands for. */
export function commitOf(position: Position): bigint {
  return BigInt(position);
}
