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

/** A place in the log of the server: that of an event of ours or of others, or the beginning. */
export interface Place {
  readonly commit: bigint;
  readonly prepare: bigint;
}

/** Whether a place comes later in the log than another. */
export function isAfter(place: Place, other: Place): boolean {
  return place.commit > other.commit;
}

/** The place of a position. Only what the server has given: between two of its records it cannot read. */
export function placeOf(position: Position): Place {
  const commit = commitOf(position);
  // A fact is appended in one go, so that its commit and prepare positions are one.
  return { commit, prepare: commit };
}
