import { type Bound, type PageParameters, type PagePlan, pageEnds, type Places, planPage } from '#http/pagination';
import { formatStreamMoment } from '#http/tokens/stream-token';
import { formatTimelinePlace, type TimelinePlace, type TimelineToken } from '#http/tokens/timeline-token';
import { NO_TYPING } from '#http/tokens/typing-mark';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import type { TimelineRow } from '../projections/timeline-row.js';
import { openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';
import type { RoomReader } from '../reading/room-reader.js';
import type { Gap } from './find-gap.js';
import { gapsWithin, listMessages, type PageRequest } from './list-messages.js';
import { justBefore, justAfter, comparePlaced, FIRST, parseTimelineToken } from './timeline-places.js';

/** A page of a room's messages as API v1 has it. */
export interface MessagesPageV1 {
  readonly room: RoomReader;
  readonly rows: readonly TimelineRow[];
  readonly start: string;
  readonly end: string;
  /** What lacks events that other servers may have (`gapsWithin`). */
  readonly gaps: readonly Gap[];
}

/** The most events of a page, also of one without a limit. */
const MAX_LIMIT = 5_000;

/**
 * A page of a room's events: client-server API v1, "Pagination" and "Events". A request that only says where from reads
 * backwards, as its "to paginate backwards […] you simply GET […] messages specifying the `from` token". Throws
 * M_BAD_PAGINATION, M_FORBIDDEN.
 */
export async function listMessagesV1(
  views: Views,
  roomId: RoomId,
  reader: Reader,
  parameters: PageParameters,
): Promise<MessagesPageV1> {
  const places = await readPlaces(views, roomId, [parameters.from, parameters.to]);
  const plan = await withLowerEnd(views, roomId, planPage(readingBackwards(parameters), places), parameters);
  const open = await openRoom(views, roomId, reader, 'events');
  const { room } = open;
  const request = requestOf(plan);
  const page = await listMessages(open, request);
  const { rows, end } = page;
  const from = plan.from === 'END' ? endToken(views) : formatTimelinePlace(views.history, resolve(plan.from));
  const place = end ?? endOf(rows, plan.direction);
  const reached = place === undefined ? from : formatTimelinePlace(views.history, place);
  return { room, rows, ...pageEnds(plan, from, reached), gaps: gapsWithin(page, request) };
}

/** Where a page with nothing behind it ends; undefined where nothing is in it either. */
function endOf(rows: readonly TimelineRow[], direction: 'b' | 'f'): TimelinePlace | undefined {
  const last = rows.at(-1);
  if (last === undefined) return undefined;
  return direction === 'b' ? justBefore(last) : justAfter(last);
}

function readingBackwards(parameters: PageParameters): PageParameters {
  const { from, to, dir } = parameters;
  const isBare = from !== undefined && from !== 'START' && to === undefined && dir === undefined;
  return isBare ? { ...parameters, to: 'START' } : parameters;
}

/** Which of the two ends is the lower one is not known before there is a plan. */
async function withLowerEnd(
  views: Views,
  roomId: RoomId,
  plan: PagePlan<TimelinePlace>,
  { from, to }: PageParameters,
): Promise<PagePlan<TimelinePlace>> {
  const isBack = plan.direction === 'b';
  const [bound, text] = isBack ? [plan.to, to] : [plan.from, from];
  if (bound === 'START' || bound === 'END' || text === undefined) return plan;
  const lower = await parseTimelineToken(views, roomId, text, 'lower');
  return isBack ? { ...plan, to: lower } : { ...plan, from: lower };
}

function requestOf({ direction, from, to, limit = MAX_LIMIT }: PagePlan<TimelinePlace>): PageRequest {
  return {
    direction,
    from: from === 'END' ? undefined : resolve(from),
    to: to === 'END' ? undefined : resolve(to),
    limit: Math.min(limit, MAX_LIMIT),
  };
}

function resolve(bound: Bound<TimelinePlace>): TimelinePlace {
  // END never comes here: nothing ends where it would be looked up.
  return bound === 'START' || bound === 'END' ? FIRST : bound;
}

/** The end of the stream as it is now: from there the event stream goes on as well. */
function endToken(views: Views): string {
  return formatStreamMoment(views.history, { position: views.position(), typing: NO_TYPING });
}

/** Reads the tokens beforehand: that of a stream has to be looked up in the room. */
async function readPlaces(
  views: Views,
  roomId: RoomId,
  tokens: readonly (string | undefined)[],
): Promise<Places<TimelineToken>> {
  const known = new Map<string, TimelineToken>();
  for (const token of tokens) {
    if (token === undefined || token === 'START' || token === 'END') continue;
    try {
      known.set(token, await parseTimelineToken(views, roomId, token));
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
      throw new MatrixError('M_BAD_PAGINATION', error.message);
    }
  }
  return { find: (token) => known.get(token), compare: comparePlaced, isLost: ({ isLost }) => isLost };
}
