import type { AccountFact } from '../facts/account-facts.js';
import { endsBy, type UpstreamLogout } from '../facts/login-facts.js';
import type { Account } from './account.js';
import { decideDeviceRemoval } from './decide-sessions.js';

/** So long it is asked at most whether somebody has logged out since they showed who they are: of what began by that and is under way. */
export const REMEMBERED_MS = 2 * 60 * 60 * 1000;
const MOST_REMEMBERED = 20;

/** A log-out at a provider, and when it was noted. */
export interface UpstreamEnd extends UpstreamLogout {
  readonly at: number;
}

/** The end of what came of such a log-in: sessions, and tokens that would have begun some. Of a log-in that is under way it is noted that it is over. */
export function decideUpstreamEnd(account: Account, of: UpstreamLogout): AccountFact[] {
  const devices = [...account.devices].filter(([, { upstream }]) => endsBy(upstream, of)).map(([id]) => id);
  const tokens = (account.loginTokens ?? []).filter(({ upstream }) => endsBy(upstream, of));
  return [
    { type: 'upstream-sessions-ended', data: of },
    ...tokens.map(({ token_hash }) => ({ type: 'login-token-used', data: { token_hash } }) as const),
    ...decideDeviceRemoval(account, devices, 'logout'),
  ];
}

/** The log-outs that are remembered after another one. */
export function endsAfter(ends: Account['upstreamEnds'], ended: UpstreamLogout, at: number): Account['upstreamEnds'] {
  const recent = (ends ?? []).filter((end) => at - end.at < REMEMBERED_MS);
  return [...recent, { ...ended, at }].slice(-MOST_REMEMBERED);
}
