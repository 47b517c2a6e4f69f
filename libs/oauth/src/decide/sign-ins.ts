import { endsBy, type UpstreamLogout } from '#accounts/facts/login-facts';
import type { NewFact, RecordedFact } from '#event-store/event-store';
import {
  type AccessGranted,
  type BrowserSignedIn,
  type KeyResetAllowed,
  readSignInFact,
  type SignInFact,
} from '../facts/sign-in-facts.js';
import { OAuthError } from '../oauth-error.js';

/** What a user lets browsers and applications do: folded from `sign-ins-{user_id}`. */
export interface SignIns {
  readonly browsers: ReadonlyMap<string, BrowserSignedIn>;
  /** By the hash of the code; undefined: it was used. */
  readonly grants: ReadonlyMap<string, AccessGranted | undefined>;
  /** By which other cross-signing keys may be set. */
  readonly keyReset: KeyResetAllowed | undefined;
}

export const NO_SIGN_INS: SignIns = Object.freeze({
  browsers: new Map<string, BrowserSignedIn>(),
  grants: new Map<string, AccessGranted | undefined>(),
  keyReset: undefined,
});

/** So many browsers of a user are signed in at most, and so many codes wait: the oldest gives way. */
const MOST_BROWSERS = 50;
const MOST_GRANTS = 100;

function withLast<V>(map: ReadonlyMap<string, V>, key: string, value: V, most: number): ReadonlyMap<string, V> {
  const copy = new Map(map);
  copy.delete(key);
  copy.set(key, value);
  for (const oldest of copy.keys()) {
    if (copy.size <= most) break;
    copy.delete(oldest);
  }
  return copy;
}

/** What is over takes nobody's place. */
function stillSignedIn({ browsers }: SignIns, at: number): SignIns['browsers'] {
  return new Map([...browsers].filter(([, { expires_at: until }]) => until > at));
}

/** What it is after a fact of the stream. */
export function foldSignIn(state: SignIns, fact: NewFact): SignIns {
  return evolveSignIns(state, readSignInFact(fact), fact.metadata.at);
}

function evolveSignIns(state: SignIns, { type, data }: SignInFact, at: number): SignIns {
  switch (type) {
    case 'browser-signed-in':
      return { ...state, browsers: withLast(stillSignedIn(state, at), data.browser, data, MOST_BROWSERS) };
    case 'browser-signed-out': {
      const browsers = new Map(state.browsers);
      browsers.delete(data.browser);
      return { ...state, browsers };
    }
    case 'access-granted':
      return { ...state, grants: withLast(state.grants, data.grant, data, MOST_GRANTS) };
    case 'grant-used':
      return { ...state, grants: withLast(state.grants, data.grant, undefined, MOST_GRANTS) };
    case 'key-reset-allowed':
      return { ...state, keyReset: data };
    case 'key-reset-used':
      return { ...state, keyReset: undefined };
    default:
      return state;
  }
}

/** Of the facts that were not overtaken those that say nothing any more, by the time of the newest. */
export function findOverSignIns(counting: ReadonlyMap<string, RecordedFact>): string[] {
  const now = Math.max(...[...counting.values()].map(({ metadata }) => metadata.at));
  return [...counting].filter(([, fact]) => isOver(readSignInFact(fact), now)).map(([name]) => name);
}

function isOver({ data }: SignInFact, now: number): boolean {
  return !('expires_at' in data) || data.expires_at <= now;
}

/** The end of a browser's sign-in. Nothing where it is over. */
export function decideSignOut({ browsers }: SignIns, browser: string): SignInFact[] {
  return browsers.has(browser) ? [{ type: 'browser-signed-out', data: { browser } }] : [];
}

/** The end of what came of a log-in at a provider, of one session there or of all: browsers that are signed in, and codes that nobody has used. */
export function decideUpstreamSignOut({ browsers, grants }: SignIns, of: UpstreamLogout): SignInFact[] {
  const facts: SignInFact[] = [];
  for (const [browser, { upstream }] of browsers) {
    if (endsBy(upstream, of)) facts.push({ type: 'browser-signed-out', data: { browser } });
  }
  for (const granted of grants.values()) {
    if (granted !== undefined && endsBy(granted.upstream, of)) facts.push(useOf(granted));
  }
  return facts;
}

/** What an application shows with a code: RFC 6749, section 4.1.3, and RFC 7636, section 4.5. */
export interface Redemption {
  readonly grant: string;
  readonly client: string;
  readonly redirectUri: string | undefined;
  /** The challenge that belongs to what it has shown. */
  readonly challenge: string | undefined;
}

/**
 * Takes a code for the session that is given out for it: once. Throws OAuthError `invalid_grant` where there is no such code, or no more,
 * or it was given to another application or asked for with another secret.
 */
export function decideRedemption({ grants }: SignIns, redemption: Redemption, now: number): SignInFact[] {
  const granted = grants.get(redemption.grant);
  const isRight =
    granted !== undefined &&
    granted.expires_at > now &&
    granted.client === redemption.client &&
    granted.redirect_uri === redemption.redirectUri &&
    granted.challenge === redemption.challenge;
  if (!isRight) throw new OAuthError('invalid_grant', 'The code is not valid, or not any more');
  return [useOf(granted)];
}

function useOf({ grant, expires_at: until }: AccessGranted): SignInFact {
  return { type: 'grant-used', data: { grant, expires_at: until + REMEMBERED_MS } };
}

/** For how long it is remembered that a code was used, beyond the time in which it could have been. */
const REMEMBERED_MS = 24 * 60 * 60 * 1000;

/** Takes the permission to set other keys, of who is trusted since then. Nothing where there is none. */
export function decideKeyReset({ keyReset }: SignIns, now: number, trustedSince: number | undefined): SignInFact[] {
  const isAllowed = keyReset !== undefined && keyReset.expires_at > now && keyReset.trusted_since === trustedSince;
  return isAllowed ? [{ type: 'key-reset-used', data: {} }] : [];
}
