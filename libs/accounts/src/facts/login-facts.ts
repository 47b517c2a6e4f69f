import type { Upcast } from '#event-store/fact-shapes';

/* The facts of a user's stream of what the account can be logged in with besides a password. */

/** At which provider of accounts somebody showed who they are for a session, and the hash of what that calls their session there. */
export interface UpstreamSession {
  readonly provider: string;
  readonly sid_hash?: string;
  /** When they showed it, at the earliest, in milliseconds since the epoch: what begins by it later is over where they have logged out there since. */
  readonly shown_at?: number;
}

/** What a log-out at a provider is of: one session there, or all of somebody's. */
export type UpstreamLogout = Pick<UpstreamSession, 'provider' | 'sid_hash'>;

/** Whether something that came of a log-in at a provider ends by a log-out there, of one session or of all. */
export function endsBy(
  upstream: UpstreamSession | undefined,
  { provider, sid_hash: sidHash }: UpstreamLogout,
): boolean {
  return upstream?.provider === provider && (sidHash === undefined || upstream.sid_hash === sidHash);
}

/** `login-token-issued`: by a secret that ends soon a session may be opened once, with nothing else. */
export interface LoginTokenIssued {
  readonly token_hash: string;
  /** In milliseconds since the epoch. */
  readonly expires_at: number;
  /** What the session that it begins comes of. */
  readonly upstream?: UpstreamSession;
}

/** `login-token-used`: it stands in one write with what it was used for. */
export interface LoginTokenUsed {
  readonly token_hash: string;
}

/**
 * `external-id-linked`: an account elsewhere is this user's. It counts as long as the last claim of it (`ExternalIdClaimed`) is this
 * user's too. `id_hash` is of both names. Both are erased once it is the user's no more, or with the account.
 */
export interface ExternalIdLinked {
  readonly provider: string;
  readonly id_hash: string;
  readonly subject?: string;
}

/** `external-id-unlinked`. */
export interface ExternalIdUnlinked {
  readonly provider: string;
  readonly id_hash: string;
}

/**
 * `upstream-session-begun`: in this session at a provider the user has shown who they are. Or, by a hash that only this server can make, in whichever
 * session: so they are found by what the provider calls them also once that is no more linked with them.
 */
export interface UpstreamSessionBegun {
  readonly provider: string;
  readonly sid_hash: string;
}

/** `upstream-sessions-ended`: the user has logged out at a provider, of one session there or of all: what came of it here has ended. */
export type UpstreamSessionsEnded = UpstreamLogout;

/** type -> shape of the data, for the facts above. */
export interface LoginFacts {
  'login-token-issued': LoginTokenIssued;
  'login-token-used': LoginTokenUsed;
  'external-id-linked': ExternalIdLinked;
  'external-id-unlinked': ExternalIdUnlinked;
  'upstream-session-begun': UpstreamSessionBegun;
  'upstream-sessions-ended': UpstreamSessionsEnded;
}

/** How old shapes of these facts become today's. */
export const LOGIN_SHAPES: Readonly<Record<keyof LoginFacts, readonly Upcast[]>> = {
  'login-token-issued': [],
  'login-token-used': [],
  'external-id-linked': [],
  'external-id-unlinked': [],
  'upstream-session-begun': [],
  'upstream-sessions-ended': [],
};
