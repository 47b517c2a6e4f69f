import type { NoticesConfig } from '#config/notices-config';
import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { contentOfRow } from '../projections/timeline-row.js';
import { findStateRows } from './state-rows.js';

/**
 * Whether this server speaks to one of its users in a room: client-server API, module "Server Notices". Nobody else begins rooms in the name of the notices
 * user; but the operator may sign in as that user and begin others, for many. Those are open to other servers, or come in by another way than by invitation.
 */
export async function isNoticesRoom(
  views: Pick<Views, 'getMany'>,
  { userId }: NoticesConfig,
  roomId: RoomId,
): Promise<boolean> {
  const keys = [['m.room.create', ''] as const, ['m.room.join_rules', ''] as const];
  const [create, joinRules] = await findStateRows(views, roomId, keys);
  if (create?.header.sender !== userId || contentOfRow(create)['m.federate'] !== false) return false;
  return joinRules !== undefined && contentOfRow(joinRules)['join_rule'] === 'invite';
}
