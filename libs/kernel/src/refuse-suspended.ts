import { MatrixError } from './matrix-error.js';
import type { Requester } from './requester.js';

/**
 * Throws M_USER_SUSPENDED where who asks is suspended: client-server API, "Account suspension". Asked by each command that others see,
 * whichever door it comes by, but for leaving, and redacting what is one's own.
 */
export function refuseSuspended({ isSuspended }: Requester): void {
  if (isSuspended === true) throw new MatrixError('M_USER_SUSPENDED');
}
