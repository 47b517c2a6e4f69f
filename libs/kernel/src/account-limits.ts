import { MatrixError } from './matrix-error.js';

/** How much of something one account may have, and what it is, in words that follow the number. */
export interface AccountLimit {
  readonly most: number;
  readonly of: string;
}

/** The limits of every account, whatever its server is set to. */
export const ACCOUNT_LIMITS = Object.freeze({
  pushers: { most: 100, of: 'pushers' },
  'push-rules': { most: 1000, of: 'push rules of its own' },
  'push-rule-bytes': { most: 262_144, of: 'bytes of push rules' },
  'profile-tags': { most: 20, of: 'profile tags with push rules of their own' },
  addresses: { most: 50, of: 'mail addresses and phone numbers' },
  'access-lists': { most: 200, of: 'access lists' },
  contacts: { most: 5_000, of: 'contacts' },
  'contact-bytes': { most: 4 * 1024 * 1024, of: 'bytes of contacts' },
  'shared-addresses': { most: 500, of: 'addresses of contacts that several people have' },
  'presence-list': { most: 1_000, of: 'people in its presence list' },
} satisfies Record<string, AccountLimit>);

/** Where a person is told of all of them, each under its name. */
export const LIMITS_PATH = '/_annals/limits';

/** What an account may upload, where the operator says (`ANNALS_MEDIA_QUOTA`). */
export const mediaLimit = (most: number): AccountLimit => ({ most, of: 'bytes of media that it has uploaded' });

/** Refuses what would be more than an account may have. `info_uri` is the path of the page, which whoever answers completes. */
export function limitReached(name: keyof typeof ACCOUNT_LIMITS): MatrixError {
  return limitExceeded(name, ACCOUNT_LIMITS[name]);
}

export function limitExceeded(name: string, limit: AccountLimit): MatrixError {
  const fields = { info_uri: `${LIMITS_PATH}#${name}` };
  return new MatrixError('M_USER_LIMIT_EXCEEDED', `An account has at most ${sayLimit(limit)}`, { fields });
}

export const sayLimit = ({ most, of }: AccountLimit): string => `${most.toLocaleString('en')} ${of}`;
