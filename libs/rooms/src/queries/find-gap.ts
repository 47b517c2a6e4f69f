import type { TimelinePlace } from '#http/tokens/timeline-token';
import type { EventId, RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { depthKey, depthOfKey, eventKeyPart } from '../projections/event-place.js';
import { BEHIND_REFUSED, GAPS } from '../projections/timeline-collections.js';
import { findPlaces } from '../reading/event-rows.js';
import { isSamePlace, topologyRange } from './timeline-places.js';

/** A place in a room's history before which events are missing here. */
export interface Gap {
  /** Just before the event whose parents are missing. */
  readonly place: TimelinePlace;
  /** Those that this server does not have of its parents, and of those of refused events that it stands on. */
  readonly missing: readonly EventId[];
}

/** How many places are read at once: mostly something is still missing at the first. */
const PAGE = 50;
/** By way of so many refused events it is looked for what is missing. */
const MOST_FOLLOWED = 200;
/** As many as an event names. */
const MOST_MISSING = 20;

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

/** What was missing when the event came may have been fetched since. What of it was refused then leads to what is missing behind that. */
async function openGap(
  views: Views,
  roomId: RoomId,
  place: TimelinePlace,
  parents: readonly EventId[],
): Promise<Gap | undefined> {
  const seen = new Set(parents);
  const missing: EventId[] = [];
  for (let level = parents; level.length > 0;) {
    const lacking = await listLacking(views, roomId, level);
    const behind = await BEHIND_REFUSED.getMany(
      views,
      lacking.map((eventId) => [roomId, eventKeyPart(eventId)]),
    );
    missing.push(...lacking.filter((_, i) => behind[i] === undefined));
    const next = behind.flatMap((ids) => ids ?? []).filter((eventId) => !seen.has(eventId));
    level = [...new Set(next)].slice(0, MOST_FOLLOWED - seen.size);
    for (const eventId of level) seen.add(eventId);
  }
  return missing.length === 0 ? undefined : { place, missing: missing.slice(0, MOST_MISSING) };
}

/** Those of some events that have no place in the order of the graph. */
async function listLacking(views: Views, roomId: RoomId, ids: readonly EventId[]): Promise<EventId[]> {
  const places = await findPlaces(views, roomId, ids);
  // Of the state that a join brought, what lies before is not here either.
  return ids.filter((_, i) => places[i]?.isPlaceless ?? places[i] === undefined);
}
