/**
 * Since when it may be that somebody has shown who they are, in milliseconds since the epoch: what they logged out of there before is none of that. Once they were sent there (`begunAt`) the session
 * that shows it may have ended before they are back (`backAt`), and a log-out of all of somebody's does not say which it was. Where the provider says when they logged in (OpenID Connect Core, section 2:
 * `auth_time`, in whole seconds) one of before that is another's. Who is turned away without need begins anew, and comes in.
 */
export function shownSince(
  { auth_time: seconds, iat }: { readonly auth_time?: unknown; readonly iat?: unknown },
  { begunAt, backAt }: { readonly begunAt: number; readonly backAt: number },
): number {
  if (typeof seconds !== 'number') return begunAt;
  // Its clock may be ahead: by that clock, too, it is known how long ago that was when it said so.
  const bySayings = typeof iat === 'number' ? backAt - (iat - seconds + 1) * 1000 : Infinity;
  return Math.min(backAt, Math.max(begunAt, Math.min(seconds * 1000, bySayings)));
}
