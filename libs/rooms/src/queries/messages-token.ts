import { MatrixError } from '#kernel/matrix-error';
import { parsePosition, positionNumber, positionOf, type Position, START } from '#kernel/position';
import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { rowHeaderOf } from '../projections/timeline-row.js';
import { depthKey } from '../projections/timeline.projector.js';

/** A place between two events of a room in the order of its graph: just behind the event of this depth and position. */
export interface MessagesToken {
  readonly depth: number;
  readonly position: Position;
}

/** Before the first event of any room. */
export const FIRST: MessagesToken = { depth: 0, position: START };

const MESSAGES_TOKEN = /^t(\d{1,16})_(\d{1,16})$/;
const STREAM_TOKEN = /^s(\d{1,16})(?:_[0-9a-z.]{1,300})?$/;

/** The token as clients hold it: `t<depth>_<position>`. */
export function formatMessagesToken({ depth, position }: MessagesToken): string {
  return `t${depth}_${positionNumber(position)}`;
}

/**
 * Reads a token of this kind, or the stream token of a /sync or /events reply: that is the place behind the last event of
 * the room up to its position. Throws M_INVALID_PARAM, also for tokens of a future that this log has not seen.
 */
export async function parseMessagesToken(views: Views, roomId: RoomId, text: string): Promise<MessagesToken> {
  const [, depth, place] = MESSAGES_TOKEN.exec(text) ?? [];
  if (depth !== undefined && place !== undefined) return { depth: Number(depth), position: positionFrom(place) };
  const [, streamed] = STREAM_TOKEN.exec(text) ?? [];
  if (streamed === undefined) throw new MatrixError('M_INVALID_PARAM', 'Not a token of this server');
  const position = positionFrom(streamed);
  if (position > views.position()) throw new MatrixError('M_INVALID_PARAM', 'A token of the future');
  return placeBehind(views, roomId, position);
}

/** The place behind the last event of the room up to a position of the log. */
export async function placeBehind(views: Views, roomId: RoomId, position: Position): Promise<MessagesToken> {
  const before = [roomId, positionOf(positionNumber(position) + 1)];
  const [last] = await views.scan('timeline', { prefix: [roomId], before, reverse: true, limit: 1 });
  if (last === undefined) return FIRST;
  const { d, p } = rowHeaderOf(last.value);
  return { depth: d, position: p };
}

/** The key in `topology` of the event that a token stands just behind. */
export function topologyKey(roomId: RoomId, { depth, position }: MessagesToken): string[] {
  return [roomId, depthKey(depth), position];
}

function positionFrom(digits: string): Position {
  const position = parsePosition(digits.padStart(16, '0'));
  if (position === undefined) throw new MatrixError('M_INVALID_PARAM', 'Not a token of this server');
  return position;
}
