import type { Requester } from '#kernel/requester';

/** The account that a token is of. */
export interface Holder {
  readonly isAdmin: boolean;
  readonly isGuest: boolean;
  readonly isLocked: boolean;
  readonly isSuspended: boolean;
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
  const { isGuest, isLocked, isSuspended } = account;
  const states = { isGuest, isLocked, isSuspended };
  if (openedBy !== undefined) return { isAdmin: false, ...states, openedBy };
  if (scope === undefined) return { isAdmin, ...states };
  return { isAdmin: isAdmin && scope.split(' ').includes(ADMIN_SCOPE), ...states, isOAuth: true };
}
