import { findStreamToken } from '#http/tokens/stream-token';
import { findTimelineToken, type TimelinePlace, type TimelineToken } from '#http/tokens/timeline-token';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { type Place, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { boundAfter, boundUpTo } from '#read-models/place-bounds';
import type { ScanOptions } from '#read-models/read-model-store';
import { depthKey } from '../projections/event-place.js';
import { findLastRow } from '../reading/event-rows.js';

/** Before the first event of any room. */
export const FIRST: TimelinePlace = { depth: 0, place: START };

/**
 * Reads a token of a room's timeline, or of the event stream, /sync too: that is the place after the last event of the room up to
 * its position. The same goes for a token of an event that the room does not have, or that was lost: its depth says nothing of
 * the events that have taken its place. Throws M_INVALID_PARAM for what is no token.
 */
export async function parseTimelineToken(views: Views, roomId: RoomId, text: string): Promise<TimelineToken> {
  const { history } = views;
  const token = findTimelineToken(history, text);
  if (token !== undefined && !token.isLost && (await isOfRoom(views, roomId, token))) return token;
  const settled = token ?? findStreamToken(history, text);
  if (settled === undefined) throw new MatrixError('M_INVALID_PARAM', 'Not a token of this server');
  return { ...(await placeAfter(views, roomId, settled.place)), isLost: settled.isLost };
}

/**
 * As `parseTimelineToken`, for one end of what is asked for: the upper one is where a page begins that is read backwards, or ends
 * that is read forwards. There a token that was lost leaves nothing out, lest what has taken its place be passed over.
 */
export async function parseTimelineBound(
  views: Views,
  roomId: RoomId,
  text: string | undefined,
  end: 'lower' | 'upper',
): Promise<TimelinePlace | undefined> {
  if (text === undefined) return undefined;
  const token = await parseTimelineToken(views, roomId, text);
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
  return position === START || (await views.get('topology', [roomId, depthKey(depth), position])) !== undefined;
}

/** The place after the last event of the room up to a place in the log. */
export async function placeAfter(views: Views, roomId: RoomId, upTo: Place): Promise<TimelinePlace> {
  const last = (await findLastRow(views, roomId, upTo))?.header;
  return last === undefined ? FIRST : { depth: last.depth, place: last.position };
}

/** The bounds of a scan of `topology` from the first token, where there is one, to the second. */
export function topologyRange(
  roomId: RoomId,
  lower: TimelinePlace | undefined,
  upper: TimelinePlace | undefined,
): Omit<ScanOptions, 'limit'> {
  return {
    prefix: [roomId],
    ...(lower && boundAfter([roomId, depthKey(lower.depth)], lower.place)),
    ...(upper && boundUpTo([roomId, depthKey(upper.depth)], upper.place)),
  };
}
