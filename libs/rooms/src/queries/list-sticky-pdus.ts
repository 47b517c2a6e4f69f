import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { serverNameOf } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { STICKY_EVENTS, STICKY_ROOMS } from '../projections/sticky-events.projector.js';
import { type PduSources, readPdus } from './read-pdus.js';

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

/** Sticky events of a room as they were signed, in the order in which they came. PERF: one read of nearly all rooms, which have none. */
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
  const texts = await readPdus(sources, roomId, ids);
  return ids.flatMap((id) => texts.get(id) ?? []);
}
