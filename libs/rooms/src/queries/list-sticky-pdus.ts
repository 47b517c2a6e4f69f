import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { serverNameOf } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { isAsOldAs } from '../decide/retention.js';
import { STICKY_EVENTS, STICKY_ROOMS } from '../projections/sticky-events.projector.js';
import { findLifetime } from '../reading/room-lifetime.js';
import { type PduSources, readLoggedPdus } from './read-pdus.js';

/** Which sticky events are asked for: those of one server's users that still are sticky. */
export interface StickyPduRange {
  readonly server: ServerName;
  /** Those of that fact on, and it too. */
  readonly from?: Position;
  /** Those before that fact. */
  readonly before?: Position;
  /** In milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Sticky events of a room as they were signed, in the order in which they came; none that the room keeps no longer, for they are told to who has
 * not had them. PERF: one read of nearly all rooms, which have none.
 */
export async function listStickyPdus(
  sources: PduSources & { readonly views: Pick<Views, 'get' | 'getMany' | 'scan'> },
  roomId: RoomId,
  { server, from, before, now }: StickyPduRange,
): Promise<string[]> {
  const { views } = sources;
  if (((await STICKY_ROOMS.get(views, [roomId])) ?? 0) <= now) return [];
  const ids: EventId[] = [];
  const bounds = {
    ...(from === undefined ? {} : { from: [roomId, from] as const }),
    ...(before === undefined ? {} : { before: [roomId, before] as const }),
  };
  await STICKY_EVENTS.forEach(views, { prefix: [roomId], ...bounds }, ({ value }) => {
    if (value.until > now && serverNameOf(value.sender) === server) ids.push(value.event);
  });
  if (ids.length === 0) return [];
  const [pdus, lifetime = Infinity] = await Promise.all([
    readLoggedPdus(sources, roomId, ids),
    findLifetime(views, roomId),
  ]);
  return ids.flatMap((id) => {
    const pdu = pdus.get(id);
    return pdu === undefined || isAsOldAs(pdu, lifetime, now) ? [] : pdu.text;
  });
}
