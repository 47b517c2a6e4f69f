import type { UserId } from '#kernel/ids';
import type { Medium } from './threepid.js';
import type { ThreepidCredentials } from './threepid-credentials.js';
import type { Validated } from './mail-validation.js';

/** What accounts need of who asks identity servers; `libs/identity` implements it. */
export interface ValidatedElsewhere {
  /** Whether there are identity servers that are believed. */
  readonly isOffered: boolean;
  /**
   * What was shown to the identity server that the credentials name, and uses it up. `by`: whose it is to be, null where nobody knows yet who that is. Undefined where that server
   * is not believed, says that nothing was shown, or something of another medium, where it was used here before, and where it is this server itself and told who confirmed it of another user. Throws PeerUnavailable where it cannot be asked, and PeerRefused
   * where it has no time, or an error of its own.
   */
  take(credentials: ThreepidCredentials, by: UserId | null, medium?: Medium): Promise<Validated | undefined>;
}

/** Injection token of the ValidatedElsewhere; where there is none, nobody else is believed. */
export const VALIDATED_ELSEWHERE = Symbol.for('annals.ValidatedElsewhere');
