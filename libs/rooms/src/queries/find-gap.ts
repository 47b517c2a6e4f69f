import type { TimelinePlace } from '#http/tokens/timeline-token';
import type { EventId, RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { depthKey, depthOfKey } from '../projections/event-place.js';
import { findPlaces } from '../reading/event-rows.js';
import { topologyRange } from './timeline-places.js';

/** A place in a room's history before which events are missing here. */
export interface Gap {
  /** Just before the event whose parents are missing. */
  readonly place: TimelinePlace;
  /** The parents that this server does not have. */
  readonly missing: readonly EventId[];
}

/** How many places are looked at for one where something is still missing. */
const PAGE = 50;

/** The last gap in the order of the graph between two places. */
export async function findGap(
  views: Views,
  roomId: RoomId,
  lower: TimelinePlace | undefined,
  upper: TimelinePlace,
): Promise<Gap | undefined> {
  const range = topologyRange(roomId, lower, upper);
  const rows = await views.scan('gaps', { ...range, reverse: true, limit: PAGE });
  for (const { key, value } of rows) {
    const place = { depth: depthOfKey(key[1]!), place: { before: key[2] as Position } };
    const gap = await openGap(views, roomId, place, value);
    if (gap !== undefined) return gap;
  }
  return undefined;
}

/** The gap at a place itself; undefined where nothing is missing just before it. */
export async function findGapAt(views: Views, roomId: RoomId, at: TimelinePlace): Promise<Gap | undefined> {
  if (typeof at.place === 'string') return undefined;
  const value = await views.get('gaps', [roomId, depthKey(at.depth), at.place.before]);
  return value === undefined ? undefined : openGap(views, roomId, at, value);
}

/** What was missing when the event came may have been fetched since. */
async function openGap(views: Views, roomId: RoomId, place: TimelinePlace, value: string): Promise<Gap | undefined> {
  const parents = JSON.parse(value) as EventId[];
  const places = await findPlaces(views, roomId, parents);
  const missing = parents.filter((_, i) => places[i] === undefined);
  return missing.length === 0 ? undefined : { place, missing };
}
