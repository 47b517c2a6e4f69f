import type { NoticesConfig } from '#config/notices-config';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { MEMBER } from '../queries/state-rows.js';
import { findMembership } from '../reading/find-membership.js';
import { isRestricted, refuseJoinOfSuspended, refuseSuspendedInRoom } from './refuse-suspended-in-room.js';

/** Who is in a room, or may come. */
const OF_MEMBERS: ReadonlySet<string> = new Set([MEMBER, 'm.room.third_party_invite']);

interface StateWanted {
  readonly requester: Requester;
  readonly roomId: RoomId;
  readonly type: string;
  readonly stateKey: string;
  readonly content: JsonObject;
}

/**
 * As `refuseSuspendedInRoom`, of state: that one is in the room no more everybody may say of themself, and that one is in it as `refuseJoinOfSuspended`. Whom else
 * somebody brings or puts out, and what they are called, is refused in any room.
 */
export async function refuseStateOfSuspended(
  views: Views,
  notices: NoticesConfig | undefined,
  { requester, roomId, type, stateKey, content }: StateWanted,
): Promise<void> {
  if (!isRestricted(requester)) return;
  if (!OF_MEMBERS.has(type)) return refuseSuspendedInRoom(views, notices, requester, roomId);
  const own = type === MEMBER && stateKey === requester.userId ? content['membership'] : undefined;
  if (own === 'leave') return;
  const isIn = (await findMembership(views, roomId, requester.userId)) === 'join';
  if (own === 'join' && !isIn) return refuseJoinOfSuspended(views, notices, requester, roomId, content);
  refuseSuspended(requester);
}

/** As `refuseSuspended`, of a redaction: what is one's own everybody may redact. `sender`: of what is redacted, where that is known. */
export function refuseRedactionOfSuspended(requester: Requester, sender: UserId | undefined): void {
  if (sender !== requester.userId) refuseSuspended(requester);
}
