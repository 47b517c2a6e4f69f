import type { DeviceAdded, OAuthSession, TokensConfirmed, TokensRefreshed } from '../facts/session-facts.js';
import type { UpstreamSession } from '../facts/login-facts.js';

/** An access token and the refresh token given out with it, both as hashes. */
export interface TokenPair {
  readonly token_hash: string;
  readonly refresh_hash?: string;
  readonly expires_at?: number;
}

/**
 * What a device is: shared by the write side (folded) and the view (stored as it is). `previous` is there between a refresh
 * and the first use of what it gave out: until then both pairs are valid (client-server API, "Refreshing access tokens").
 */
export interface DeviceRecord {
  readonly display_name?: string;
  readonly created_ts: number;
  /** Which of its log-ins holds: the revision of the fact of the last one. */
  readonly login: number;
  readonly current: TokenPair;
  readonly previous?: TokenPair;
  /** The application service, by its id, that opened the session for a person. */
  readonly service?: string;
  /** The application that has the session by the OAuth 2.0 API. */
  readonly oauth?: OAuthSession;
  /** The provider of accounts at which its user logged in. */
  readonly upstream?: UpstreamSession;
}

/** The device after a login on it, by its place in the log: new tokens alone are valid; a known device keeps its name and its age. */
export function deviceAfterLogin(
  known: DeviceRecord | undefined,
  fact: DeviceAdded,
  { at, revision }: { readonly at: number; readonly revision: number },
): DeviceRecord {
  const displayName = known === undefined ? fact.display_name : known.display_name;
  return {
    ...(displayName === undefined ? {} : { display_name: displayName }),
    created_ts: known?.created_ts ?? at,
    login: revision,
    current: {
      token_hash: fact.token_hash,
      ...(fact.refresh_hash === undefined ? {} : { refresh_hash: fact.refresh_hash }),
      ...(fact.expires_at === undefined ? {} : { expires_at: fact.expires_at }),
    },
    ...(fact.service === undefined ? {} : { service: fact.service }),
    ...(fact.oauth === undefined ? {} : { oauth: fact.oauth }),
    ...(fact.upstream === undefined ? {} : { upstream: fact.upstream }),
  };
}

/**
 * The device after a refresh. Where the current refresh token was used, its pair becomes the previous one; where the previous
 * one was used again (the answer was lost), the pair that never arrived is dropped.
 */
export function deviceAfterRefresh(device: DeviceRecord, fact: TokensRefreshed): DeviceRecord {
  return {
    ...device,
    current: { token_hash: fact.token_hash, refresh_hash: fact.refresh_hash, expires_at: fact.expires_at },
    previous: fact.used === device.current.refresh_hash ? device.current : (device.previous ?? device.current),
  };
}

/** The device once the client has shown that it holds the new pair. */
export function deviceAfterConfirmation(device: DeviceRecord, fact: TokensConfirmed): DeviceRecord {
  if (fact.token_hash !== device.current.token_hash) return device;
  const { previous: _void, ...kept } = device;
  return kept;
}

/** The pairs that are valid now. */
export function validPairs(device: DeviceRecord): readonly TokenPair[] {
  return device.previous === undefined ? [device.current] : [device.current, device.previous];
}
