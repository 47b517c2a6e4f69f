import { MatrixError } from '#kernel/matrix-error';
import type { Account } from '../decide/account.js';
import { REMEMBERED_MS } from '../decide/upstream-sessions.js';
import { endsBy, type UpstreamSession } from '../facts/login-facts.js';

export { REMEMBERED_MS };

/** By so much the clock of a provider may be ahead, which may have said when somebody showed who they are. */
export const APART_MS = 60_000;

/**
 * Whether somebody has logged out at the provider since they showed there who they are. Later also the session that a log-out named may show it anew: a provider may end what
 * came of it here alone (Keycloak does, where somebody takes their consent back), and the session there goes on.
 */
export function hasEndedSince({ upstreamEnds = [] }: Account, upstream: UpstreamSession | undefined): boolean {
  const shownAt = upstream?.shown_at;
  if (shownAt === undefined) return false;
  return upstreamEnds.some(
    (end) => endsBy(upstream, end) && end.at >= shownAt - (end.sid_hash === undefined ? 0 : APART_MS),
  );
}

/** For what begins by a log-in at a provider, decided together with it: of a log-out and a log-in at once neither order leaves a session. Throws M_FORBIDDEN. */
export function checkNotEnded(account: Account, upstream: UpstreamSession | undefined): void {
  if (hasEndedSince(account, upstream))
    throw new MatrixError('M_FORBIDDEN', 'You have logged out there since: please begin anew in your application');
}
