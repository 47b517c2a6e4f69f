import type { Upcast } from '#event-store/fact-shapes';
import type { UserId } from '#kernel/ids';

/**
 * A registration token is one stream, named by the sha256 (hex) of the token. The token itself is in the log only where an operator made it by
 * tools that list tokens, so that it can be given to others later: it lets people in, and opens no account.
 */
export const REGISTRATION_TOKEN_STREAM_PREFIX = 'registration-token-';
export const registrationTokenStream = (tokenHash: string): string => `${REGISTRATION_TOKEN_STREAM_PREFIX}${tokenHash}`;
export const tokenHashOfStream = (stream: string): string => stream.slice(REGISTRATION_TOKEN_STREAM_PREFIX.length);

/** How often a token may be used (absent: without limit) and until when (absent: for ever). */
export interface TokenLimits {
  readonly uses_allowed?: number;
  readonly expires_at?: number;
}

/** Other limits for a token: `null` for none, and what is left out stays as it is. */
export interface LimitChange {
  readonly uses?: number | null;
  readonly expiresAt?: number | null;
}

/** `registration-token-created`. `token`: its text, where operators are to be shown it again. */
export interface RegistrationTokenCreated extends TokenLimits {
  readonly token?: string;
}

/** `registration-token-changed`: from then on it may be used so often and for so long, uses before counted. */
export type RegistrationTokenChanged = TokenLimits;

/** `registration-token-used`: taken before the account is registered, so that two registrations cannot share the last use. */
export interface RegistrationTokenUsed {
  readonly user_id: UserId;
}

/** `registration-token-returned`: the registration it was taken for came to nothing. */
export interface RegistrationTokenReturned {
  readonly user_id: UserId;
}

/** `registration-token-revoked`: an operator withdrew it. */
export type RegistrationTokenRevoked = Record<string, never>;

export interface RegistrationTokenFacts {
  'registration-token-created': RegistrationTokenCreated;
  'registration-token-changed': RegistrationTokenChanged;
  'registration-token-used': RegistrationTokenUsed;
  'registration-token-returned': RegistrationTokenReturned;
  'registration-token-revoked': RegistrationTokenRevoked;
}

export type RegistrationTokenFact = {
  [T in keyof RegistrationTokenFacts]: { readonly type: T; readonly data: RegistrationTokenFacts[T] };
}[keyof RegistrationTokenFacts];

/** In `server`: `first-registration-token-issued`: the first start in token mode has printed its token. */
export interface FirstRegistrationTokenIssued {
  readonly token_hash: string;
}

/** How old shapes of these facts become today's. */
export const REGISTRATION_TOKEN_SHAPES: Readonly<
  Record<keyof RegistrationTokenFacts | 'first-registration-token-issued', readonly Upcast[]>
> = {
  'registration-token-created': [],
  'registration-token-changed': [],
  'registration-token-used': [],
  'registration-token-returned': [],
  'registration-token-revoked': [],
  'first-registration-token-issued': [],
};
