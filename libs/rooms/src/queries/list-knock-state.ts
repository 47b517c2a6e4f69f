import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { POTENTIAL_MEMBERS_STATE } from '../facts/potential-members-state.js';
import { type PduSources, readPdus } from './read-pdus.js';
import { findStateRows } from './state-rows.js';

/** The events of a room that somebody may know who knocks, as they were signed: server-server API, `send_knock`; MSC4311. */
export async function listKnockState(
  sources: PduSources & { readonly views: Views },
  roomId: RoomId,
): Promise<readonly string[]> {
  const keys = POTENTIAL_MEMBERS_STATE.map((type) => [type, ''] as const);
  const rows = await findStateRows(sources.views, roomId, keys);
  const ids = rows.flatMap((row) => (row === undefined ? [] : [row.header.eventId]));
  return [...(await readPdus(sources, roomId, ids)).values()];
}
