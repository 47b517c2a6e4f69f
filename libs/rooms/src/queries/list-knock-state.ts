import type { RoomId, ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import { POTENTIAL_MEMBERS_STATE } from '../facts/potential-members-state.js';
import { ROOMS } from '../projections/room-summary.projector.js';
import { mayServerKnowOf } from '../reading/may-know-of.js';
import { readPdus } from './read-pdus.js';
import type { ServingSources } from './serving-sources.js';
import { findStateRows } from './state-rows.js';

/**
 * The events of a room that somebody may know who knocks, as they were signed: server-server API, `send_knock`; MSC4311. Throws M_FORBIDDEN
 * where the server may not know of the room any more: it can give the same knock again at any time. `upTo`: up to where the facts of it are.
 */
export async function listKnockState(
  sources: ServingSources,
  roomId: RoomId,
  server: ServerName,
  upTo: Position | undefined,
): Promise<readonly string[]> {
  if (upTo !== undefined) await sources.views.whenProcessed(upTo);
  const summary = await ROOMS.get(sources.views, [roomId]);
  if (summary === undefined || !(await mayServerKnowOf(sources, roomId, summary, server))) {
    throw new MatrixError('M_FORBIDDEN', 'The room does not take knocks any more');
  }
  const keys = POTENTIAL_MEMBERS_STATE.map((type) => [type, ''] as const);
  const rows = await findStateRows(sources.views, roomId, keys);
  const ids = rows.flatMap((row) => (row === undefined ? [] : [row.header.eventId]));
  return [...(await readPdus(sources, roomId, ids)).values()];
}
