import { MatrixError } from '#kernel/matrix-error';
import type { Account } from '../decide/account.js';
import { REMEMBERED_MS } from '../decide/upstream-sessions.js';
import { endsBy, type UpstreamSession } from '../facts/login-facts.js';

export { REMEMBERED_MS };

/**
 * Whether somebody has logged out at the provider since they showed there who they are. A session there that has ended never comes again, so by that it does not matter when
 * they were seen here to show it: of a log-out it may be known here before the answer that the log-in has brought.
 */
export function hasEndedSince({ upstreamEnds = [] }: Account, upstream: UpstreamSession | undefined): boolean {
  const shownAt = upstream?.shown_at;
  if (shownAt === undefined) return false;
  return upstreamEnds.some((end) => endsBy(upstream, end) && (end.sid_hash !== undefined || end.at >= shownAt));
}

/** For what begins by a log-in at a provider, decided together with it: of a log-out and a log-in at once neither order leaves a session. Throws M_FORBIDDEN. */
export function checkNotEnded(account: Account, upstream: UpstreamSession | undefined): void {
  if (hasEndedSince(account, upstream))
    throw new MatrixError('M_FORBIDDEN', 'You have logged out there since: please begin anew in your application');
}
