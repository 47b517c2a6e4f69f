/**
 * A number that clients were never told: one more than the last. Once the log was put back to an earlier moment they may know later
 * ones that are lost: so then it is the time of now, which is beyond those. `history`: the name of the last restoration.
 */
export function nextNumber(last: number, history: string, now: number): number {
  return history === '' ? last + 1 : Math.max(last + 1, now);
}
