import { findStreamToken } from '#http/tokens/stream-token';
import { findTimelineToken, type TimelinePlace, type TimelineToken } from '#http/tokens/timeline-token';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { comparePlaces, type Place, START } from '#kernel/position';
import type { Range } from '#projections/collection';
import type { Views } from '#projections/views';
import { boundAfter, boundUpTo } from '#read-models/place-bounds';
import { depthKey } from '../projections/event-place.js';
import { OVERTAKEN, TIMELINE, TOPOLOGY, type TopologyKey } from '../projections/timeline-collections.js';
import { type RowHeader, rowHeaderOf, type TimelineRow } from '../projections/timeline-row.js';
import { findLastRow } from '../reading/event-rows.js';

/** Of what is read: where it begins in the order of the graph, or where it ends. */
type End = 'lower' | 'upper';

/** Before the first event of any room. */
export const FIRST: TimelinePlace = { depth: 0, place: START };

/**
 * Reads a token of a room's timeline, or of the event stream, /sync too: that is the place after the last event of the room up to
 * its position. The same goes for a token of an event that the room does not have, or that was lost: its depth says nothing of
 * the events that have taken its place. Throws M_INVALID_PARAM for what is no token.
 */
export async function parseTimelineToken(
  views: Views,
  roomId: RoomId,
  text: string,
  end: End = 'upper',
): Promise<TimelineToken> {
  const { history } = views;
  const token = findTimelineToken(history, text);
  if (token !== undefined && !token.isLost && (await isOfRoom(views, roomId, token))) return token;
  const settled = token ?? findStreamToken(history, text);
  if (settled === undefined) throw new MatrixError('M_INVALID_PARAM', 'Not a token of this server');
  return { ...(await placeAfter(views, roomId, settled.place, end)), isLost: settled.isLost };
}

/**
 * As `parseTimelineToken`, for one end of what is asked for: the upper one is where a page begins that is read backwards, or ends
 * that is read forwards. There a token that was lost leaves nothing out, lest what has taken its place be passed over.
 */
export async function parseTimelineBound(
  views: Views,
  roomId: RoomId,
  text: string | undefined,
  end: End,
): Promise<TimelinePlace | undefined> {
  if (text === undefined) return undefined;
  const token = await parseTimelineToken(views, roomId, text, end);
  return token.isLost && end === 'upper' ? undefined : token;
}

/** Both ends of a page, as `parseTimelineBound` reads them: a page that is read backwards begins at its upper end. */
export async function parseTimelineBounds(
  views: Views,
  roomId: RoomId,
  { from, to }: { readonly from: string | undefined; readonly to: string | undefined },
  direction: 'b' | 'f',
): Promise<{ readonly from: TimelinePlace | undefined; readonly to: TimelinePlace | undefined }> {
  const [begin, end] = direction === 'b' ? (['upper', 'lower'] as const) : (['lower', 'upper'] as const);
  const [first, last] = await Promise.all([
    parseTimelineBound(views, roomId, from, begin),
    parseTimelineBound(views, roomId, to, end),
  ]);
  return { from: first, to: last };
}

async function isOfRoom(views: Views, roomId: RoomId, { depth, place }: TimelinePlace): Promise<boolean> {
  const position = typeof place === 'string' ? place : place.before;
  return position === START || TOPOLOGY.has(views, [roomId, depthKey(depth), position]);
}

/**
 * A place of the log as one in the graph: after the last event of the room up to there. As the upper end of what is read it leaves
 * out none of those before it, where deeper ones came earlier than the last; nor, just before an event that came after a gap, what
 * has filled or may fill that: it is deeper than what came before. As the lower end it leaves out none of those that were news
 * since, where they came late and are no deeper than the last.
 */
export async function placeAfter(views: Views, roomId: RoomId, upTo: Place, end: End): Promise<TimelinePlace> {
  const last = (await findLastRow(views, roomId, upTo))?.header;
  if (end === 'lower') {
    if (last === undefined) return FIRST;
    const { depth, position } = last;
    const shallowest = await shallowestSince(views, roomId, upTo);
    return shallowest < depth ? { depth: shallowest, place: upTo } : { depth, place: position };
  }
  const deepest = last === undefined ? FIRST : await deepestUpTo(views, roomId, last);
  const next = typeof upTo === 'string' ? undefined : await TIMELINE.get(views, [roomId, upTo.before]);
  const header = next === undefined ? undefined : rowHeaderOf(next);
  // The first event that was news of a room that was joined elsewhere came after a gap too.
  return header?.isAfterGap === true && header.depth > deepest.depth ? { depth: header.depth, place: upTo } : deepest;
}

/** The place behind all that had come with an event of the log, where deeper ones had come before it. */
async function deepestUpTo(views: Views, roomId: RoomId, { depth, position }: RowHeader): Promise<TimelinePlace> {
  const range = { prefix: [roomId], to: [roomId, position], reverse: true, limit: 1 } as const;
  const [overtaken] = await OVERTAKEN.scan(views, range);
  return { depth: Math.max(depth, overtaken?.value.deepest ?? 0), place: position };
}

/** How many late events are looked at; of more a page leaves out nothing, down to the first event of the room. */
const MOST_LATE = 10_000;

/** The least depth of those events after a place of the log that came after deeper ones: all others are deeper than what came before. */
async function shallowestSince(views: Views, roomId: RoomId, place: Place): Promise<number> {
  let shallowest = Infinity;
  let lookedAt = 0;
  for await (const page of OVERTAKEN.pages(views, { prefix: [roomId], ...boundAfter([roomId], place) })) {
    for (const { value } of page) shallowest = Math.min(shallowest, value.depth);
    lookedAt += page.length;
    if (lookedAt >= MOST_LATE) return FIRST.depth;
  }
  return shallowest;
}

/** The place just after an event. */
export function justAfter({ header }: TimelineRow): TimelinePlace {
  return { depth: header.depth, place: header.position };
}

/** The place just before an event: after whatever came before it. */
export function justBefore({ header }: TimelineRow): TimelinePlace {
  return { depth: header.depth, place: { before: header.position } };
}

/** The order of the graph: negative, zero or positive, for `sort`. */
export function comparePlaced(a: TimelinePlace, b: TimelinePlace): number {
  return a.depth === b.depth ? comparePlaces(a.place, b.place) : a.depth - b.depth;
}

/** Whether two places are the same in the order of the graph. */
export function isSamePlace(a: TimelinePlace, b: TimelinePlace): boolean {
  return comparePlaced(a, b) === 0;
}

/** The bounds of a scan in the order of the graph from the first token, where there is one, to the second. */
export function topologyRange(
  roomId: RoomId,
  lower: TimelinePlace | undefined,
  upper: TimelinePlace | undefined,
): Range<TopologyKey> {
  return {
    prefix: [roomId],
    ...(lower && boundAfter([roomId, depthKey(lower.depth)], lower.place)),
    ...(upper && boundUpTo([roomId, depthKey(upper.depth)], upper.place)),
  };
}
