import type { Account } from '../decide/account.js';
import { endsBy, type UpstreamSession } from '../facts/login-facts.js';

/** Whether somebody has logged out at the provider since they showed there who they are. */
export function hasEndedSince({ upstreamEnds = [] }: Account, upstream: UpstreamSession, shownAt: number): boolean {
  return upstreamEnds.some((end) => end.at >= shownAt && endsBy(upstream, end));
}
