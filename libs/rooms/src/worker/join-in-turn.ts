import { atOnce } from '#kernel/steps';
import type { EventId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { RoomEvent } from '#protocol/room-event';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { beginsAnew, filledState } from '../decide/room-head.js';
import { changedBy, changesBetween, stateAfterEvent } from '../decide/room-state.js';
import { joinEndedOf, takenStateOf } from '../facts/read-room-fact.js';
import type {
  JoinBegun,
  JoinCompleted,
  JoinFilled,
  JoinGivenUp,
  StateAgain,
  StateLearnt,
} from '../facts/join-facts.js';
import { factWithPdu } from '../facts/fact-text.js';
import type { Accepted, StoredOutlier } from '../receive/outcome.js';
import { storeOutlier, takePlaced } from './receive-in-turn.js';
import type { RoomTurn } from './room-turn.js';

/** An event of the state that a join brought, on its way into the current state. */
export interface BroughtState {
  readonly eventId: EventId;
  readonly type: string;
  readonly stateKey: string;
  /** Its canonical JSON. */
  readonly pduText: string;
}

/** Another process took the join over, or gave it up. */
export class JoinLost extends Error {
  constructor() {
    super('the join is not under way any more');
  }
}

/** Another process is joining the room. */
export class OtherJoinUnderWay extends Error {
  constructor() {
    super('the room is being joined');
  }
}

/** The room need not be told any more. */
export class RoomIsHere extends MatrixError {
  constructor() {
    super('M_UNKNOWN', 'This room is here already', { status: 409 });
  }
}

/** What was here of the room is being let go of: see RoomPurged. */
export class RoomIsGoing extends MatrixError {
  constructor() {
    super('M_UNKNOWN', 'What this server had of the room is being removed: try again in a moment', { status: 503 });
  }
}

/**
 * Begins a join that brings the room here; answers the revision of the fact that says so. `create` is stored first where the room
 * is unheard of, or was told to begin with another event: nothing that was told with that counts any more. Throws
 * RoomIsHere, OtherJoinUnderWay and RoomIsGoing.
 */
export function beginJoin(turn: RoomTurn, create: StoredOutlier, { userId, via, servers }: JoinTold): number {
  const { revision, extremities } = turn.head;
  if (extremities.length > 0) throw new RoomIsHere();
  if (turn.head.join !== undefined) throw new OtherJoinUnderWay();
  if (turn.head.purged === 'in-part') throw new RoomIsGoing();
  if (revision < 0 || beginsAnew(turn.head, create.event)) storeOutlier(turn, create);
  const partial = servers === undefined ? {} : { servers };
  const begun: JoinBegun = { room_version: create.header.room_version, user_id: userId, via, ...partial };
  const fact = { type: 'join-begun' as const, userId, via, ...partial };
  turn.push('join-begun', JSON.stringify(begun), `join ${userId} ${via}`, fact);
  return turn.head.revision;
}

/** Who joins, and who tells the room. */
export interface JoinTold {
  readonly userId: UserId;
  readonly via: ServerName;
  /** It leaves members out: these servers have some in the room. */
  readonly servers?: readonly ServerName[] | undefined;
}

/** Throws JoinLost where the join that began at a revision is not the one under way, nor the room partial by one that was completed there. */
export function checkJoin({ head: { join, partial } }: RoomTurn, begun: number): void {
  if ((join ?? partial)?.revision !== begun) throw new JoinLost();
}

/**
 * As `checkJoin`, for who fills a partial room and saw it filled up to a fact last: throws JoinLost too where somebody else does so since. What two
 * tell in parts goes together to no state.
 */
export function checkFilling(turn: RoomTurn, begun: number, filledAt: number | undefined): void {
  checkJoin(turn, begun);
  if (turn.head.partial?.filledAt !== filledAt) throw new JoinLost();
}

/** Appends a part of the state before the join event. */
export function learnPart(turn: RoomTurn, part: StateLearnt): void {
  const { event_id: eventId, root } = part;
  const name = `learnt ${eventId} ${root} ${part.part} ${turn.head.revision + 1}`;
  turn.push('state-learnt', JSON.stringify(part), name, { type: 'state-learnt' });
}

/**
 * Appends that all of a partial room is here. `whole`: the state before the join event. Every state upon that is told anew, as a change
 * of the one before. Throws an Error where those do not come to what the room has.
 */
export function takeFilled(turn: RoomTurn, join: RoomEvent, whole: StateTrie): void {
  const { partial } = turn.head;
  if (partial === undefined) throw new JoinLost();
  const { eventId } = join;
  let state = stateAfterEvent(whole, join, turn.head.version);
  const states: StateAgain[] = [{ event_id: eventId, state: changesBetween(whole, state), root: state.rootHash }];
  // What was decided and is in no log yet stood on states that are others now.
  noteAgain(turn, eventId, state);
  for (const { eventId: id, state: changes } of partial.upon) {
    const next = changedBy(state, changes);
    states.push({ event_id: id, state: changesBetween(state, next), root: next.rootHash });
    state = next;
    noteAgain(turn, id, state);
  }
  if (state.rootHash !== filledState(partial, turn.head.state).rootHash)
    throw new Error(`${turn.roomId}: what has come of its state is not what it lacked`);
  const filled: JoinFilled = { event_id: eventId, states };
  turn.push('join-filled', JSON.stringify(filled), `filled ${eventId}`, { type: 'join-filled', states });
}

function noteAgain({ undurable }: RoomTurn, eventId: EventId, after: StateTrie): void {
  const known = undurable.find(eventId);
  if (known !== undefined) undurable.note({ ...known, after });
}

/** Lets an event of the state that was told hold its key in the current state. */
export function takeState(
  turn: RoomTurn,
  { eventId, type, stateKey, pduText }: BroughtState,
  origin: ServerName,
): void {
  const change = { type, state_key: stateKey, event_id: eventId };
  // In the current state every member is shown it, whatever was visible when it was sent.
  const visibility = 'shared' as const;
  const header = { event_id: eventId, room_version: turn.head.version.id, state: [change], visibility, origin };
  const fact = takenStateOf(change, () => JSON.parse(pduText) as JsonObject);
  turn.push('state-taken', factWithPdu(header, pduText), `taken ${eventId}`, fact);
}

/** Appends the join event, by which the room shows. */
export function takeJoinEvent(turn: RoomTurn, joined: Accepted): void {
  const { eventId, prevEvents } = joined.event;
  const { via, servers } = turn.head.join!;
  takePlaced(turn, joined, prevEvents, atOnce(turn.appendParts(joined.header)));
  const partial = servers === undefined ? {} : { partial: { via, servers } };
  const completed: JoinCompleted = { event_id: eventId, ...partial };
  turn.push('join-completed', JSON.stringify(completed), `joined ${eventId}`, joinEndedOf(completed));
}

/** Gives the join up that is under way. */
export function giveJoinUp(turn: RoomTurn, reason: string): void {
  const givenUp: JoinGivenUp = { reason };
  const name = `given up ${turn.head.join?.revision}`;
  turn.push('join-given-up', JSON.stringify(givenUp), name, { type: 'join-ended' });
}
