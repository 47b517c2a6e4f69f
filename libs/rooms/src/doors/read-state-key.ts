import { readUserId } from '#http/read-user-id';
import { isUserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';

/** The state key in a path, as who asks means it: that of a member is a user id, see `parseUserId`. */
export function readStateKey(requester: Requester, type: string, stateKey: string): string {
  return type === 'm.room.member' && isUserId(stateKey) ? readUserId(requester, stateKey) : stateKey;
}
