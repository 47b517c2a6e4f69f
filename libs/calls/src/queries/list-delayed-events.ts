import { MatrixError } from '#kernel/matrix-error';
import type { RoomId } from '#kernel/ids';
import { type Delay, dueOf, isTold, type KnownDelays } from '../decide/known-delays.js';

/** Which of a user's delayed events are asked for, and in which order: MSC4140, "Getting a list of delayed events". */
export interface DelayedEventsRequest {
  readonly orderBy: 'send_ts' | 'origin_server_ts' | 'running_since';
  readonly direction: 'f' | 'b';
  /** Where a page before this one ended. */
  readonly from?: string;
  /** Where the first page begins, in milliseconds since the epoch. */
  readonly since: number;
  readonly status?: 'scheduled' | 'finalised';
  readonly roomId?: RoomId;
  readonly type?: string;
  /** NOTSPEC: of these ids alone, as matrix-js-sdk asks. */
  readonly ids?: readonly string[];
  readonly outcome?: 'send' | 'cancel' | 'error';
  readonly reason?: 'action' | 'delay';
}

/** Some of them, and where the next page begins; undefined where there is none. */
export interface DelayedEventsPage {
  readonly delays: readonly Delay[];
  readonly next: string | undefined;
}

const PAGE = 10;

/** A page of a user's delayed events. Throws M_INVALID_PARAM for a token that is none. */
export function listDelayedEvents(known: KnownDelays, request: DelayedEventsRequest, now: number): DelayedEventsPage {
  const { orderBy, direction, from, since } = request;
  const sign = direction === 'f' ? 1 : -1;
  const placed = [...known.values()]
    .filter((delay) => isTold(delay, now) && isWanted(delay, request))
    .map((delay) => ({ delay, at: momentOf(delay, orderBy), id: delay.event.delay_id }));
  const order = (a: Place, b: Place): number => sign * (a.at - b.at || (a.id < b.id ? -1 : Number(a.id > b.id)));
  const begin = from === undefined ? undefined : parsePlace(from);
  const asked = placed
    .filter((place) => (begin === undefined ? sign * (place.at - since) >= 0 : order(place, begin) > 0))
    .toSorted(order);
  const page = asked.slice(0, PAGE);
  return {
    delays: page.map(({ delay }) => delay),
    next: asked.length > PAGE ? formatPlace(page.at(-1)!) : undefined,
  };
}

function isWanted({ event, end }: Delay, request: DelayedEventsRequest): boolean {
  const { status, roomId, type, ids, outcome, reason } = request;
  if (ids?.includes(event.delay_id) === false) return false;
  if (status !== undefined && (status === 'finalised') !== (end !== undefined)) return false;
  if (roomId !== undefined && event.room_id !== roomId) return false;
  if (type !== undefined && event.type !== type) return false;
  if (outcome !== undefined && end?.outcome !== outcome) return false;
  return reason === undefined || end?.reason === reason;
}

function momentOf(delay: Delay, orderBy: DelayedEventsRequest['orderBy']): number {
  if (orderBy === 'running_since') return delay.event.running_since;
  return orderBy === 'origin_server_ts' && delay.end !== undefined ? delay.end.ended_at : dueOf(delay);
}

interface Place {
  readonly at: number;
  readonly id: string;
}

const formatPlace = ({ at, id }: Place): string => `${at}_${id}`;

function parsePlace(token: string): Place {
  const [, at, id] = /^(\d{1,16})_([\w-]{1,64})$/.exec(token) ?? [];
  if (at === undefined || id === undefined) throw new MatrixError('M_INVALID_PARAM', 'from: not a token of this list');
  return { at: Number(at), id };
}
