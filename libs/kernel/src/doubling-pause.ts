/**
 * The pause after so many failures in a row, in milliseconds: after each twice as long as after the one before. Who lets many wait so that
 * failed together adds chance to it.
 */
export function doublingPause(failures: number, firstMs: number, longestMs: number): number {
  return Math.min(firstMs * 2 ** Math.max(0, failures - 1), longestMs);
}
