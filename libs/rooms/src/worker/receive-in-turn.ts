import type { EventId } from '#kernel/ids';
import { inTurns } from '#projections/turn';
import type { Pdu } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { outlierFactOf } from '../facts/read-room-fact.js';
import { factWithPdu } from '../facts/fact-text.js';
import { type AppendedParts, tellPlaced } from '../facts/told-in-parts.js';
import { judgeOutlier } from '../receive/judge-outlier.js';
import { type Arrival, judgePdu } from '../receive/judge-pdu.js';
import { RoomIsPartial } from '../partial-room.js';
import { knownOutlier, knownPlaced } from '../receive/known-room.js';
import type { LearnedState } from '../receive/learn-state.js';
import type {
  Accepted,
  AlreadyKnown,
  Dropped,
  MissingEvents,
  Outcome,
  PreparedPdu,
  Rejected,
  SoftFailed,
  StoredOutlier,
} from '../receive/outcome.js';
import type { RoomTurn } from './room-turn.js';
import { headAfterAccepted } from './states-of-extremities.js';

/**
 * Judges an event of another server by the room as this turn has it, and appends what becomes of it and what follows from it.
 * Nothing is appended for what was dropped, is known already or misses others. `before`: called with what is accepted, before it is there.
 * Throws RoomIsPartial: nothing is judged by a part of a state.
 */
export async function receiveInTurn(
  turn: RoomTurn,
  pdu: PreparedPdu,
  arrival?: Arrival,
  before?: (accepted: Accepted) => Promise<void>,
): Promise<Outcome> {
  if (turn.head.partial !== undefined) throw new RoomIsPartial();
  const outcome = await judgePdu(pdu, turn.known, arrival);
  if (outcome.kind === 'accepted') await before?.(outcome);
  if (outcome.kind === 'accepted' || outcome.kind === 'soft-failed' || outcome.kind === 'rejected') {
    const missing = outcome.kind === 'accepted' ? await findMissingParents(turn, outcome) : [];
    takePlaced(turn, outcome, missing, await inTurns(turn.appendParts(outcome.header)));
  }
  return outcome;
}

/** As `receiveInTurn`, for a part of an auth chain or of a state, whose place in the room is not known. */
export async function receiveOutlierInTurn(
  turn: RoomTurn,
  pdu: PreparedPdu,
  ofOtherRooms?: readonly Pdu[],
): Promise<StoredOutlier | Dropped | AlreadyKnown | MissingEvents> {
  const outcome = await judgeOutlier(pdu, turn.known, ofOtherRooms);
  if (outcome.kind !== 'outlier') return outcome;
  const { event, header, redactions } = outcome;
  const known = knownOutlier(event, header.reason !== undefined);
  turn.undurable.note({ ...known, after: undefined, isForeign: true });
  storeOutlier(turn, outcome);
  turn.redactAll(redactions);
  return outcome;
}

/** Appends an event that was judged by its own auth events; answers the revision of its fact. */
export function storeOutlier(turn: RoomTurn, { event, header, pduText }: StoredOutlier): number {
  const fact = outlierFactOf(event, findRoomVersion(header.room_version)!);
  turn.push('outlier-stored', factWithPdu(header, pduText), `outlier ${event.eventId}`, fact);
  return turn.head.revision;
}

/** About as much as every log takes in one write, and others have their turn in between. */
const PARTS_AT_ONCE = 8;

/** Another process tells another state before the same event, or has told it. */
export interface ToldOtherwise {
  readonly kind: 'told-otherwise';
}

/** How a state comes to be written, in several turns. */
export interface Learning {
  /** How many parts were there after the turn before. */
  readonly done: number;
  /** Another state before the same event, of which only some parts are there, was left by who told it. */
  readonly takesOver: boolean;
}

/**
 * Appends the next parts of a state that was told and checked (`learnState`), and answers how many are there then. It counts with the
 * last of them. What the log has of the same state, whoever wrote it, is not written again. Nothing is written where the event was
 * judged meanwhile, nor where another process writes another state: the parts of two would follow upon each other.
 */
export async function learnInTurn(
  turn: RoomTurn,
  { parts, state }: LearnedState,
  { done, takesOver }: Learning,
): Promise<number | AlreadyKnown | ToldOtherwise> {
  const { event_id: eventId, root } = parts[0]!;
  const outcome = (await turn.known.find([eventId])).get(eventId)?.outcome;
  if (outcome !== undefined && outcome !== 'outlier') return { kind: 'known', eventId, outcome };
  const told = await turn.known.findTelling(eventId);
  const isSame = told?.root === root && told.parts === parts.length;
  const isOthers = !isSame && told !== undefined && told.part < told.parts && !takesOver;
  if (isOthers || (!isSame && done > 0)) return { kind: 'told-otherwise' };
  const from = isSame ? told.part : 0;
  const next = parts.slice(from, from + PARTS_AT_ONCE);
  for (const part of next) turn.append('state-learnt', part);
  if (next.at(-1)?.part === parts.length) turn.undurable.learnt.set(eventId, state);
  return from + next.length;
}

/** Appends what became of an event whose place is known. `missing`: those of its parents whose place is not. `parts`: of `appendParts`. */
export function takePlaced(
  turn: RoomTurn,
  outcome: Accepted | SoftFailed | Rejected,
  missing: readonly EventId[],
  parts: AppendedParts | undefined,
): void {
  const { event, kind, pduText, redactions, state } = outcome;
  turn.undurable.note({ ...knownPlaced(event, kind, outcome.header), after: state, isForeign: true }, missing);
  const name = `${kind} ${event.eventId}`;
  if (kind === 'accepted') {
    const { data, header } = tellPlaced(outcome.header, pduText, parts);
    const fact = { type: 'pdu-accepted' as const, event, header };
    turn.push('pdu-accepted', data, name, fact, headAfterAccepted(turn.head, { ...outcome, header }));
  } else turn.push(`pdu-${kind}`, tellPlaced(outcome.header, pduText, parts).data, name, { type: 'other' });
  turn.redactAll(redactions);
}

/** Those whose place is not known, because a state that was learnt stands in for them. */
async function findMissingParents(turn: RoomTurn, { event, header }: Accepted): Promise<EventId[]> {
  if (typeof header.base !== 'object') return [];
  const known = await turn.known.find(event.prevEvents);
  return event.prevEvents.filter((eventId) => (known.get(eventId)?.outcome ?? 'outlier') === 'outlier');
}
