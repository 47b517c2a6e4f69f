import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';

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
