import type { TimelinePlace } from '#http/tokens/timeline-token';
import type { EventId, RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { depthKey, depthOfKey } from '../projections/event-place.js';
import { GAPS } from '../projections/timeline-collections.js';
import { findPlaces } from '../reading/event-rows.js';
import { isSamePlace, topologyRange } from './timeline-places.js';

/** A place in a room's history before which events are missing here. */
export interface Gap {
  /** Just before the event whose parents are missing. */
  readonly place: TimelinePlace;
  /** The parents that this server does not have. */
  readonly missing: readonly EventId[];
}

/** How many places are read at once: mostly something is still missing at the first. */
const PAGE = 50;

/** The first gap that a page comes to which is read from a place, and not the one at which it begins. */
export async function findGap(
  views: Views,
  roomId: RoomId,
  { direction, from, to }: { readonly direction: 'b' | 'f'; readonly from: TimelinePlace; readonly to?: TimelinePlace },
): Promise<Gap | undefined> {
  const isBack = direction === 'b';
  const range = isBack ? topologyRange(roomId, to, from) : topologyRange(roomId, from, to);
  for await (const page of GAPS.pages(views, { ...range, reverse: isBack }, PAGE)) {
    for (const { key, value: parents } of page) {
      const place = { depth: depthOfKey(key[1]), place: { before: key[2] } };
      const gap = isSamePlace(place, from) ? undefined : await openGap(views, roomId, place, parents);
      if (gap !== undefined) return gap;
    }
  }
  return undefined;
}

/** The gap at a place itself; undefined where nothing is missing just before it. */
export async function findGapAt(views: Views, roomId: RoomId, at: TimelinePlace): Promise<Gap | undefined> {
  if (typeof at.place === 'string') return undefined;
  const parents = await GAPS.get(views, [roomId, depthKey(at.depth), at.place.before]);
  return parents && openGap(views, roomId, at, parents);
}

/** What was missing when the event came may have been fetched since. */
async function openGap(
  views: Views,
  roomId: RoomId,
  place: TimelinePlace,
  parents: readonly EventId[],
): Promise<Gap | undefined> {
  const places = await findPlaces(views, roomId, parents);
  // Of the state that a join brought, what lies before is not here either.
  const missing = parents.filter((_, i) => places[i]?.isPlaceless ?? places[i] === undefined);
  return missing.length === 0 ? undefined : { place, missing };
}
