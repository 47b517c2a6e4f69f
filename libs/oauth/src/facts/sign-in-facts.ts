import type { UpstreamSession } from '#accounts/facts/login-facts';
import type { Upcast } from '#event-store/fact-shapes';
import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, UserId } from '#kernel/ids';

/**
 * What a user does in browsers: where they are signed in, and what they let applications do. Of each browser, each code and each
 * permission only the last fact counts, and none for long: the stream is kept short. Secrets appear as hashes alone.
 */
export const SIGN_INS_STREAM_PREFIX = 'sign-ins-';
export const signInsStream = (userId: UserId): string => `${SIGN_INS_STREAM_PREFIX}${userId}`;

/** In `sign-ins-{user_id}`: `browser-signed-in`: a browser shows the account page, and may let applications in. */
export interface BrowserSignedIn {
  /** sha256 of the secret in its cookie. */
  readonly browser: string;
  /** In milliseconds since the epoch. */
  readonly expires_at: number;
  /** The revision, in the user's stream, of the password that there was then: with another one it is over. */
  readonly password_at?: number;
  /** The revision of the last fact with which all sessions of theirs had ended: with a later one it is over. */
  readonly logged_out_at?: number;
  /** The provider of accounts at which they showed who they are, and in which session there. */
  readonly upstream?: UpstreamSession;
}

/** In the same stream: `browser-signed-out`. */
export interface BrowserSignedOut {
  readonly browser: string;
}

/** In the same stream: `access-granted`: an application may have a session for a code. */
export interface AccessGranted {
  /** sha256 of the code. */
  readonly grant: string;
  /** sha256 of the application's id. */
  readonly client: string;
  readonly client_name?: string;
  readonly client_uri: string;
  readonly scope: string;
  readonly device_id: DeviceId;
  /** Where the code was sent; absent: the device shows another code by itself (RFC 8628). */
  readonly redirect_uri?: string;
  /** RFC 7636, S256. */
  readonly challenge?: string;
  readonly expires_at: number;
  /** What `trustedSince` said of the account when it was let in: with another answer it is over. */
  readonly trusted_since?: number;
  /** As that of the browser in which it was let in. */
  readonly upstream?: UpstreamSession;
}

/** In the same stream: `grant-used`: the session was given out, or is about to be: never twice. */
export interface GrantUsed {
  readonly grant: string;
  readonly expires_at: number;
}

/** In the same stream: `key-reset-allowed`: until then an application may set other cross-signing keys, once. */
export interface KeyResetAllowed {
  readonly expires_at: number;
  /** As that of `AccessGranted`. */
  readonly trusted_since?: number;
}

/** In the same stream: `key-reset-used`. */
export type KeyResetUsed = Record<string, never>;

export interface SignInFacts {
  'browser-signed-in': BrowserSignedIn;
  'browser-signed-out': BrowserSignedOut;
  'access-granted': AccessGranted;
  'grant-used': GrantUsed;
  'key-reset-allowed': KeyResetAllowed;
  'key-reset-used': KeyResetUsed;
}

export type SignInFact = {
  [T in keyof SignInFacts]: { readonly type: T; readonly data: SignInFacts[T] };
}[keyof SignInFacts];

/** A fact of such a stream, as the log holds it. */
export function readSignInFact({ type, data }: Pick<RecordedFact, 'type' | 'data'>): SignInFact {
  return { type, data: JSON.parse(data) as unknown } as SignInFact; // Only this library writes these streams.
}

/** Which of the facts of the stream it overtakes, or is overtaken by. */
export function nameOfSignInFact(fact: RecordedFact): string {
  const { data } = readSignInFact(fact);
  if ('browser' in data) return `browser ${data.browser}`;
  return 'grant' in data ? `grant ${data.grant}` : 'key reset';
}

/** How old shapes of these facts become today's. */
export const SIGN_IN_SHAPES: Readonly<Record<keyof SignInFacts, readonly Upcast[]>> = {
  'browser-signed-in': [],
  'browser-signed-out': [],
  'access-granted': [],
  'grant-used': [],
  'key-reset-allowed': [],
  'key-reset-used': [],
};
