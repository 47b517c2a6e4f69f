import type { RateLimit } from '#kernel/rate-limit';
import type { Requester } from '#kernel/requester';
import type { DeviceRecord } from '../decide/device-tokens.js';

/** The account that a token is of. */
export interface Holder {
  readonly isAdmin: boolean;
  readonly isGuest: boolean;
  readonly isLocked: boolean;
  readonly isSuspended: boolean;
  /** Where they accept what keeps them from all but reading until they have. */
  readonly consentUri?: () => string;
  /** What an operator has set in place of the limits of everybody. */
  readonly rateLimit: RateLimit | undefined;
  /** The application service, by its id, that opened the session for them. */
  readonly openedBy: string | undefined;
  /** What the application may that has the session; undefined where it is none of the OAuth 2.0 API. */
  readonly scope: string | undefined;
}

/** By which tools of operators ask for the rights of an administrator, as they do of Synapse. */
export const ADMIN_SCOPE = 'urn:synapse:admin:*';

/**
 * What who comes with a token may: what an administrator may they may themself, and not who speaks for them; nor an application, but where
 * they let it, which is then part of its scope.
 */
export function rightsOf({
  isAdmin,
  openedBy,
  scope,
  ...account
}: Holder): Omit<Requester, 'userId' | 'deviceId' | 'requestId'> {
  const { isGuest, isLocked, isSuspended, consentUri, rateLimit } = account;
  const states = { isGuest, isLocked, isSuspended, rateLimit, ...(consentUri === undefined ? {} : { consentUri }) };
  if (openedBy !== undefined) return { isAdmin: false, ...states, openedBy };
  if (scope === undefined) return { isAdmin, ...states };
  return { isAdmin: isAdmin && scope.split(' ').includes(ADMIN_SCOPE), ...states, isOAuth: true };
}

/** Whose token it is, by an account and its device as the views have them, or the log. */
export function holderOf(
  { admin = false, guest = false, locked = false, suspended = false }: HeldAccount,
  device: DeviceRecord | undefined,
  rateLimit: RateLimit | undefined,
): Holder {
  const { service: openedBy, oauth } = device ?? {};
  const states = { isLocked: locked, isSuspended: suspended, rateLimit };
  return { isAdmin: admin, isGuest: guest, ...states, openedBy, scope: oauth?.scope };
}

/** What of an account counts for that. */
export type HeldAccount = Partial<Readonly<Record<'admin' | 'guest' | 'locked' | 'suspended', boolean>>>;
