import { MatrixError } from './matrix-error.js';
import type { Requester } from './requester.js';

/**
 * Throws M_USER_SUSPENDED where who asks is suspended: client-server API, "Account suspension". Asked by the guard of the doors, and by the commands
 * behind doors that are for the suspended in part (`@WhileSuspended()`). Of what others see these let through: leaving, redacting what is one's own, receipts,
 * messages to devices, joining the room in which this server speaks to them and speaking there, names and keys of devices, private data that somebody is shown, and that one is there by syncing. To who has not accepted the terms the same is refused, with
 * M_CONSENT_NOT_GIVEN and the `consent_uri` of the page on which they do so: no specification has it, and clients know it.
 */
export function refuseSuspended({ isSuspended, consentUri }: Pick<Requester, 'isSuspended' | 'consentUri'>): void {
  if (isSuspended === true) throw new MatrixError('M_USER_SUSPENDED');
  if (consentUri === undefined) return;
  // The link is theirs alone, and stands where clients look for it: what an error says is shown, and kept, in many places.
  throw new MatrixError('M_CONSENT_NOT_GIVEN', undefined, {
    fields: { consent_uri: consentUri() },
  });
}
