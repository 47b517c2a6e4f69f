import type { EventId, RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { askGraph } from '../graph/ask-graph.js';
import type { GraphState } from '../graph/room-graph.js';
import { type RowHeader, rowHeaderOf } from '../projections/timeline-row.js';
import { TIMELINE } from '../projections/timeline-collections.js';
import { findLastRow, findPlaces, readRowsAt } from './event-rows.js';
import { findNextJoin, listStandings, membershipInRoom, type Standing } from './standing.js';

/** What a reader was at an event of which the log does not tell it. */
export interface PastStanding {
  /** Just after it. */
  readonly membership: string;
  /** Just before it. */
  readonly before: string;
  /** Whether the reader is known to have been in the room at any time later. */
  readonly isInLater: boolean;
  /** It was in force when the reader came, or came into force while they were there, of whatever time it is. */
  readonly isFound?: boolean;
}

/** What somebody was of whom nothing is known. */
export const OUTSIDE: PastStanding = Object.freeze({ membership: 'leave', before: 'leave', isInLater: false });

/**
 * What a reader was at some events, by the state at each: of the past, where the place in the log says when they were fetched, and
 * not when they were sent; and where the room forked. Waits for the graph, and throws ViewsUnavailable where it has not come so far.
 * NOTSPEC: of who had been invited or put out by an event that is no news of this log either, and
 * is not in the room now, it is not known whether a stay of theirs came later: they are shown less than they may see, not more.
 */
export async function findPastStandings(
  views: Views,
  roomId: RoomId,
  userId: UserId,
  now: Standing | undefined,
  events: readonly RowHeader[],
): Promise<ReadonlyMap<EventId, PastStanding>> {
  const found = new Map<EventId, PastStanding>();
  for (const header of events) {
    const { eventId, position, membership, stateKey } = header;
    const state = await askGraph(views, roomId, position, (graph) => graph.findStateAfter(eventId));
    if (state === undefined) {
      const then = await standingAtTaken(header);
      found.set(eventId, await asTheLogTells({ views, roomId, userId }, header, then));
      continue;
    }
    const after = await standingIn(state);
    const isOwn = membership !== undefined && stateKey === userId;
    const before = isOwn
      ? await standingIn(await askGraph(views, roomId, position, (graph) => graph.findStateBefore(eventId)))
      : after;
    found.set(eventId, { ...after, before: before.membership });
  }
  return found;

  async function standingIn(state: GraphState | undefined): Promise<Omit<PastStanding, 'before'>> {
    if (state === undefined) return OUTSIDE;
    const memberEvent = await state.find('m.room.member', userId);
    if (memberEvent === undefined) return { membership: 'leave', isInLater: isInAfter(START) };
    const [place] = await findPlaces(views, roomId, [memberEvent]);
    const [row] = await readRowsAt(views, roomId, [place]);
    const since = place === undefined || place.isHistory ? undefined : place.position;
    const isInLater = since === undefined ? now?.membership === 'join' : isInAfter(since);
    return { membership: row?.header.membership ?? 'leave', isInLater };
  }

  /**
   * At an event of the state that a join brought, of which it is not known what was visible, and for whom, when it was sent. Where the
   * room did not show its history when it was joined, whoever comes later is told what they found in force, and nothing before.
   */
  async function standingAtTaken({ eventId, type, stateKey = '' }: RowHeader): Promise<Omit<PastStanding, 'before'>> {
    const [first] = await TIMELINE.scan(views, { prefix: [roomId], limit: 1 });
    const visibility = first && rowHeaderOf(first.value).visibility;
    if (visibility !== 'joined' && visibility !== 'invited')
      return { membership: 'leave', isInLater: now?.membership === 'join' };
    const joined = await findNextJoin(views, roomId, userId, START);
    if (joined === undefined) return OUTSIDE;
    const last = (await findLastRow(views, roomId, joined))?.header;
    // Who was in the state that came had been in the room before this server was.
    if (last === undefined) return { ...OUTSIDE, isFound: true };
    const state = await askGraph(views, roomId, last.position, (graph) => graph.findStateSince(last.eventId));
    return { ...OUTSIDE, isFound: (await state?.find(type, stateKey)) === eventId };
  }

  function isInAfter(position: Position): boolean {
    return now !== undefined && (now.membership === 'join' || now.left > position);
  }
}

interface Member {
  readonly views: Views;
  readonly roomId: RoomId;
  readonly userId: UserId;
}

/**
 * The same at an event that came into force without being news, with what the log tells of the reader when it did: who was in the
 * room then has it before their eyes, and at a member event of theirs they were what that made them.
 */
async function asTheLogTells(
  { views, roomId, userId }: Member,
  { position, membership, stateKey }: RowHeader,
  then: Omit<PastStanding, 'before'>,
): Promise<PastStanding> {
  const [last, other] = await listStandings(views, roomId, userId, { upTo: position, limit: 2 });
  const isFound = then.isFound === true || last?.membership === 'join';
  if (membership === undefined || stateKey !== userId) return { ...then, before: then.membership, isFound };
  const standing = last?.since === position ? other : last;
  const before = standing === undefined ? 'leave' : membershipInRoom(standing);
  return { ...then, membership, before, isFound };
}
