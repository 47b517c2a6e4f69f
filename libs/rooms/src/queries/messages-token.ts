import { MatrixError } from '#kernel/matrix-error';
import { comparePlaces, formatPlace, parsePlace, type Place, START } from '#kernel/position';
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
 * the room up to its position. Throws M_INVALID_PARAM, also for tokens of a future that this log has not seen.
 */
export async function parseMessagesToken(views: Views, roomId: RoomId, text: string): Promise<MessagesToken> {
  const [, depth, digits = ''] = MESSAGES_TOKEN.exec(text) ?? [];
  const place = parsePlace(digits);
  if (depth !== undefined && place !== undefined) return { depth: Number(depth), place };
  const [, streamed = ''] = STREAM_TOKEN.exec(text) ?? [];
  const upTo = parsePlace(streamed);
  if (upTo === undefined) throw new MatrixError('M_INVALID_PARAM', 'Not a token of this server');
  if (comparePlaces(upTo, views.position()) > 0) throw new MatrixError('M_INVALID_PARAM', 'A token of the future');
  return placeBehind(views, roomId, upTo);
}

/** The place after the last event of the room up to a place in the log. */
export async function placeBehind(views: Views, roomId: RoomId, upTo: Place): Promise<MessagesToken> {
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
