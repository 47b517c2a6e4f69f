import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';

/**
 * Throws M_USER_SUSPENDED where who asks is suspended: client-server API, "Account suspension". Asked by each command that others see,
 * whichever door it comes by, but for leaving, and redacting what is one's own.
 */
export function refuseSuspended({ isSuspended }: Requester): void {
  if (isSuspended === true) throw new MatrixError('M_USER_SUSPENDED');
}

/** As `refuseSuspended`, of state: that one is in the room no more everybody may say of themself. */
export function refuseStateOfSuspended(
  requester: Requester,
  { type, stateKey, content }: { readonly type: string; readonly stateKey: string; readonly content: JsonObject },
): void {
  if (type === 'm.room.member' && stateKey === requester.userId && content['membership'] === 'leave') return;
  refuseSuspended(requester);
}

/** As `refuseSuspended`, of a redaction: what is one's own everybody may redact. `sender`: of what is redacted, where that is known. */
export function refuseRedactionOfSuspended(requester: Requester, sender: UserId | undefined): void {
  if (sender !== requester.userId) refuseSuspended(requester);
}
