import type { DeviceId, UserId } from './ids.js';
import type { RateLimit } from './rate-limit.js';

/** Who asks: an explicit argument of every command and query that depends on it. */
export interface Requester {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly isAdmin: boolean;
  /** A guest account: only doors that welcome guests let it in. */
  readonly isGuest?: boolean;
  /** The account is locked: only doors by which sessions end let it in. */
  readonly isLocked?: boolean;
  /** The account is suspended: it reads, and does what the specification lists ("Account suspension"). Commands that others see ask for it. */
  readonly isSuspended?: boolean;
  /** Makes a link to where they accept terms that they have not accepted yet: until they have they may do what they may who are suspended. */
  readonly consentUri?: () => string;
  /** The limit that an operator has set for the user, in place of those of each class; `perSecond` 0: none. */
  readonly rateLimit?: RateLimit | undefined;
  /** The application service that acts as this user; its device id is '' where it named none. */
  readonly appServiceId?: string;
  /** The account is that service's own, which does with it whatever others have to show a password for. Others it only speaks for. */
  readonly isServicesOwn?: boolean;
  /** The session is one that an application service, by its id, opened for a person: for them it speaks, by whatever token. */
  readonly openedBy?: string;
  /** The session is one that an application has by the OAuth 2.0 API: its user is asked at the account page, and not by it. */
  readonly isOAuth?: true;
  /** An authentication service beside this server keeps the session and the account: there the one is ended, and the other changed. */
  readonly isOfAuthService?: true;
  /** The id of the request, for logs and for the facts that it causes. */
  readonly requestId: string;
}
