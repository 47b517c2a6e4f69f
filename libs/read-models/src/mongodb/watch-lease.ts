import type { LeaseState } from './journal.js';

/** Who says nothing for so long, to whoever asks all the time, has lost the lease. */
const LEASE_MS = 6000;
/** Two looks that are further apart than this are not "all the time": the owner could not reach the database either. */
const LOOK_GAP_MS = 2000;

/** Tells by looks at the lease of others whether it is free. */
export class WatchedLease {
  /** As it was seen first, and when; and when it was last looked at. */
  #seen: { readonly lease: LeaseState; readonly since: number; last: number } | undefined;

  /** `holder`: who bears this name takes the place of the one that bore it before. */
  constructor(private readonly holder: string | undefined) {}

  /** Whether there is no owner, or none that has been heard of for long enough. */
  isFree(lease: LeaseState | undefined): boolean {
    if (lease === undefined || lease.owner === null) return true;
    const now = performance.now();
    const seen = this.#seen;
    // At the first look alone: two that bear one name all the same would take it from each other for ever.
    if (seen === undefined && this.holder !== undefined && lease.holder === this.holder) return true;
    const isSame =
      seen !== undefined &&
      now - seen.last < LOOK_GAP_MS &&
      seen.lease.owner === lease.owner &&
      seen.lease.groups === lease.groups &&
      seen.lease.beats === lease.beats;
    if (!isSame) this.#seen = { lease, since: now, last: now };
    else seen.last = now;
    return isSame && now - seen.since >= LEASE_MS;
  }
}
