/** So long after something was claimed, what it was claimed for is in the log, or never will be: in milliseconds. */
const DONE_BY_THEN_MS = 60_000;

/**
 * Whether who claimed something (an alias for a room, the use of a token for an account) has ended on the way, where what it
 * was claimed for is not in the log: it was before this process started, or long ago, or the clock was ahead. All of them in
 * milliseconds since the epoch.
 */
export function isGivenUp(claimedAt: number, started: number, now: number): boolean {
  return claimedAt < started || Math.abs(now - claimedAt) >= DONE_BY_THEN_MS;
}
