import { MatrixError } from '#kernel/matrix-error';
import { formatPlace, parsePlace, type Place, START } from '#kernel/position';
import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { boundAfter, boundUpTo } from '#read-models/place-bounds';
import type { ScanOptions } from '#read-models/read-model-store';
import { rowHeaderOf } from '../projections/timeline-row.js';
import { depthKey } from '../projections/timeline.projector.js';

/** A place between two events of a room in the order of its graph: just after an event of this depth, or just before it. */
export interface MessagesToken {
  readonly depth: number;
  readonly place: Place;
}

/** Before the first event of any room. */
export const FIRST: MessagesToken = { depth: 0, place: START };

const MESSAGES_TOKEN = /^t(\d{1,16})_(b?\d+)$/;
const STREAM_TOKEN = /^s(b?\d+)(?:_[0-9a-z.]{1,300})?$/;

/** The token as clients hold it: `t<depth>_<position>`, with a `b` before the position where it is the place before. */
export function formatMessagesToken({ depth, place }: MessagesToken): string {
  return `t${depth}_${formatPlace(place)}`;
}

/**
 * Reads a token of this kind, or the stream token of a /sync or /events reply: that is the place after the last event of
 * the room up to its position. The same goes for a token of an event that the room does not have: the log was put back to an
 * earlier moment, and by its depth alone the token would pass over what came since. Throws M_INVALID_PARAM for what is no token.
 */
export async function parseMessagesToken(views: Views, roomId: RoomId, text: string): Promise<MessagesToken> {
  const [, depth, digits = ''] = MESSAGES_TOKEN.exec(text) ?? [];
  const place = parsePlace(digits);
  if (depth !== undefined && place !== undefined) {
    const token = { depth: Number(depth), place };
    return (await isOfRoom(views, roomId, token)) ? token : placeAfter(views, roomId, place);
  }
  const [, streamed = ''] = STREAM_TOKEN.exec(text) ?? [];
  const upTo = parsePlace(streamed);
  if (upTo === undefined) throw new MatrixError('M_INVALID_PARAM', 'Not a token of this server');
  return placeAfter(views, roomId, upTo);
}

async function isOfRoom(views: Views, roomId: RoomId, { depth, place }: MessagesToken): Promise<boolean> {
  const position = typeof place === 'string' ? place : place.before;
  return position === START || (await views.get('topology', [roomId, depthKey(depth), position])) !== undefined;
}

/** The place after the last event of the room up to a place in the log. */
export async function placeAfter(views: Views, roomId: RoomId, upTo: Place): Promise<MessagesToken> {
  const range = { prefix: [roomId], ...boundUpTo([roomId], upTo) };
  const [last] = await views.scan('timeline', { ...range, reverse: true, limit: 1 });
  if (last === undefined) return FIRST;
  const { d, p } = rowHeaderOf(last.value);
  return { depth: d, place: p };
}

/** The bounds of a scan of `topology` from the first token, where there is one, to the second. */
export function topologyRange(
  roomId: RoomId,
  lower: MessagesToken | undefined,
  upper: MessagesToken | undefined,
): Omit<ScanOptions, 'limit'> {
  return {
    prefix: [roomId],
    ...(lower && boundAfter([roomId, depthKey(lower.depth)], lower.place)),
    ...(upper && boundUpTo([roomId, depthKey(upper.depth)], upper.place)),
  };
}
