import { MatrixError } from '#kernel/matrix-error';
import type { Account } from '../decide/account.js';
import { REMEMBERED_MS } from '../decide/upstream-sessions.js';
import { endsBy, type UpstreamSession } from '../facts/login-facts.js';

export { REMEMBERED_MS };

/** Whether somebody has logged out at the provider since they showed there who they are. */
export function hasEndedSince({ upstreamEnds = [] }: Account, upstream: UpstreamSession | undefined): boolean {
  const shownAt = upstream?.shown_at;
  return shownAt !== undefined && upstreamEnds.some((end) => end.at >= shownAt && endsBy(upstream, end));
}

/** For what begins by a log-in at a provider, decided together with it: of a log-out and a log-in at once neither order leaves a session. Throws M_FORBIDDEN. */
export function checkNotEnded(account: Account, upstream: UpstreamSession | undefined): void {
  if (hasEndedSince(account, upstream))
    throw new MatrixError('M_FORBIDDEN', 'You have logged out there since: please begin anew in your application');
}
