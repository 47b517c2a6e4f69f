import type { RecordedFact } from '#event-store/event-store';
import { type Answer, whenThere } from '#kernel/answer';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { OwnRows } from '#projections/projector';
import { depthOf, referencedIds } from '../facts/pdu-fields.js';
import type { JoinFilled, StateLearnt, StateTaken } from '../facts/join-facts.js';
import {
  type OutlierStored,
  type PduAccepted,
  type PduWithState,
  requireWhole,
  roomIdOfStream,
  type StateChange,
} from '../facts/room-facts.js';
import type { ChangeTold } from '../facts/told-in-parts.js';
import {
  findGraphEvent,
  type EventStates,
  GRAPH_LEARNT,
  type GraphEvent,
  lineOf,
  NO_STATE,
  type GraphOutcome,
  isSameStatePlace,
  putGraphEvent,
  type StatePlace,
} from './graph-rows.js';
import { noteCopy } from './copy-rows.js';
import { type StateValue, valuesOf } from './state-entries.js';
import { GRAPH_CURRENT, writeCurrent } from './write-current.js';
import { isEndOfLine, writeNextState } from './write-state.js';

/** What the graph needs of a fact. */
export type GraphFact = Pick<RecordedFact, 'stream' | 'type' | 'data' | 'revision' | 'position'>;

const WITH_STATE: Readonly<Record<string, GraphOutcome>> = {
  'pdu-accepted': 'accepted',
  'pdu-soft-failed': 'soft-failed',
  'pdu-rejected': 'rejected',
};

/** `projectGraph`, for the facts that hold an event or a part of what it says: what became of it, and the states before and after it. */
export function writeGraph(fact: GraphFact, rows: OwnRows, parsed?: PduAccepted): Answer<void> {
  const outcome = WITH_STATE[fact.type];
  const data: unknown = parsed ?? JSON.parse(fact.data);
  const writer = new GraphWriter(fact, rows);
  if (outcome !== undefined) return writer.placed(outcome, data as PduWithState);
  if (fact.type === 'change-told') return writer.told(data as ChangeTold);
  if (fact.type === 'state-taken') return writer.taken(data as StateTaken);
  if (fact.type === 'state-learnt') return writer.learnt(data as StateLearnt);
  if (fact.type === 'join-filled') return writer.filled(data as JoinFilled);
  return writer.outlier(data as OutlierStored);
}

class GraphWriter {
  readonly #roomId: RoomId;
  #base: Answer<StatePlace> | undefined;

  constructor(
    private readonly fact: GraphFact,
    private readonly rows: OwnRows,
  ) {
    this.#roomId = roomIdOfStream(fact.stream);
  }

  placed(outcome: GraphOutcome, data: PduWithState): Answer<void> {
    requireWhole(data);
    const {
      event_id: eventId,
      origin,
      state,
      current,
      pdu,
      held_before: held,
      state_pdus: carried,
    } = data as PduAccepted;
    const changesNothing = state.length === 0 && held === undefined && current === undefined;
    if (!changesNothing || origin !== undefined || carried !== undefined) return this.#placedAnew(outcome, data);
    // PERF: of most events there is no more to tell, and then nothing is waited for where rows are at hand.
    return whenThere(this.#baseOf(data), (base) =>
      this.#putEvent(eventId, outcome, pdu, { before: base, after: base }),
    );
  }

  #placedAnew(outcome: GraphOutcome, data: PduWithState): Answer<void> {
    const { event_id: eventId, origin } = data;
    const isFresh = origin === undefined && (changesNoStates(data) ? !isOfCurrent(outcome, data) : this.#isNext(data));
    const isTold = whenThere(isFresh, (fresh) => !fresh && this.#isTold(eventId));
    return whenThere(isTold, (told) => (told ? undefined : this.#place(outcome, data)));
  }

  #place(outcome: GraphOutcome, data: PduWithState): Answer<void> {
    const { event_id: eventId, pdu, state_pdus: carried, told_in: parts } = data as PduAccepted;
    for (const other in carried) {
      if (parts?.[other as EventId] === undefined) this.#noteCopy(other as EventId, this.fact.revision);
    }
    const written = whenThere(this.#baseOf(data), (base) =>
      changesNoStates(data) ? { before: base, after: base } : this.#writeStates(outcome, data, base),
    );
    return whenThere(written, (states) => {
      if (!isOfCurrent(outcome, data)) return this.#putEvent(eventId, outcome, pdu, states);
      return whenThere(this.#writeCurrent(data, states.after), (current) => {
        const { before, after } = states;
        this.#putEvent(eventId, outcome, pdu, current === undefined ? states : { before, after, current });
      });
    });
  }

  #writeCurrent(data: PduAccepted, after: StatePlace): Answer<StatePlace | undefined> {
    return writeCurrent(this.rows, this.#roomId, this.fact.revision, data, after);
  }

  /**
   * Whether a change of state stands at the end of its line, where no fact has put it yet. PERF: no other fact tells of an event that
   * was made here, so then its row is not looked for, nor where it changes nothing and would be the same again (bench/send.ts).
   */
  #isNext(data: PduWithState): Answer<boolean> {
    return whenThere(this.#baseOf(data), (base) => isEndOfLine(this.rows, this.#roomId, base));
  }

  /** Whether this fact, or a later one, has told of the event already; the fact of an earlier one is a copy from now on. */
  #isTold(eventId: EventId): Answer<boolean> {
    return whenThere(findGraphEvent(this.rows, this.#roomId, eventId), (known) => {
      if (known === undefined) return false;
      if (known.revision >= this.fact.revision) return true;
      this.#noteCopy(eventId, known.revision);
      return false;
    });
  }

  async outlier({ event_id: eventId, reason, pdu }: OutlierStored): Promise<void> {
    const known = await findGraphEvent(this.rows, this.#roomId, eventId);
    if (known !== undefined && known.revision >= this.fact.revision) return;
    // Where its place is known it is no outlier any more.
    if (known?.states !== undefined) return this.#noteCopy(eventId, this.fact.revision);
    if (known !== undefined) this.#noteCopy(eventId, known.revision);
    this.#putEvent(eventId, reason === undefined ? 'outlier' : 'rejected-outlier', pdu, undefined);
  }

  /** A part of what a later fact says, or would have said: it holds what it holds. */
  told({ state_pdus: carried = {} }: ChangeTold): Promise<void> {
    for (const other of Object.keys(carried)) this.#noteCopy(other as EventId, this.fact.revision);
    return Promise.resolve();
  }

  /** It stays an event without a place, and this fact has it too. */
  taken({ event_id: eventId }: StateTaken): Promise<void> {
    this.#noteCopy(eventId, this.fact.revision);
    return Promise.resolve();
  }

  /** Each part stands upon the one before; the first begins anew, whatever was told before it. */
  async learnt({ event_id: eventId, part, parts, root, state }: StateLearnt): Promise<void> {
    const { revision } = this.fact;
    const known = await GRAPH_LEARNT.get(this.rows, [this.#roomId, eventId]);
    if (known !== undefined && known.revision >= revision) return;
    if (part !== 1 && known?.part !== part - 1) {
      throw new Error(`part ${part} of the state before ${eventId} does not follow upon part ${known?.part ?? 0}`);
    }
    const base = part === 1 ? NO_STATE : known!.place;
    const entries = state.map(([type, stateKey, id]) => ({ type, stateKey, eventId: id }));
    const place = await this.#writeNext(base, entries, part === parts ? root : undefined);
    GRAPH_LEARNT.put(this.rows, [this.#roomId, eventId], { revision, part, parts, root, place });
  }

  /** The states after a join event, and after what came upon it, from the whole state before it. */
  async filled({ event_id: joined, states }: JoinFilled): Promise<void> {
    const { rows } = this;
    const roomId = this.#roomId;
    let before = await this.#findLearnt(joined, joined);
    const known = await findGraphEvent(rows, roomId, joined);
    // Done before.
    if (known?.states !== undefined && isSameStatePlace(known.states.before, before)) return;
    for (const { event_id: eventId, state, root } of states) {
      const event = await findGraphEvent(rows, roomId, eventId);
      if (event === undefined) throw new Error(`${eventId} is to stand on the whole room, and is not there`);
      const after = state.length === 0 ? before : await this.#writeNext(before, valuesOf(state), root);
      putGraphEvent(rows, roomId, eventId, { ...event, states: { before, after } });
      before = after;
    }
    GRAPH_CURRENT.put(rows, [roomId], before);
  }

  /** Where the state is that the event's changes start from. Looked for once. */
  #baseOf(data: PduWithState): Answer<StatePlace> {
    return (this.#base ??= this.#findBase(data));
  }

  #findBase({ event_id: eventId, base, pdu }: PduWithState): Answer<StatePlace> {
    if (typeof base === 'object') return this.#findLearnt(eventId, base.learnt);
    const named = base ?? referencedIds(pdu['prev_events'])[0];
    if (named === undefined) return NO_STATE;
    return whenThere(findGraphEvent(this.rows, this.#roomId, named), (event) => {
      if (event?.states !== undefined) return event.states.after;
      throw new Error(`${eventId} stands on the state after ${named}, which is not known`);
    });
  }

  async #findLearnt(eventId: EventId, before: EventId): Promise<StatePlace> {
    const learnt = await GRAPH_LEARNT.get(this.rows, [this.#roomId, before]);
    if (learnt?.part === learnt?.parts && learnt !== undefined) return learnt.place;
    throw new Error(`${eventId} stands on the state before ${before}, which is not all there`);
  }

  /**
   * The states before and after an event. They differ in the event's own key, if at all; where the one before is not that of the
   * base, because it was resolved, it gets a place too.
   */
  #writeStates(outcome: GraphOutcome, data: PduWithState, base: StatePlace): Answer<EventStates> {
    const { type, state_key: stateKey } = data.pdu;
    const { held_before: held, state, root } = data;
    // What was rejected changes nothing itself; what deletes its key is not the event that holds it afterwards.
    const isOwn = (change: StateChange): boolean => change.type === type && change.state_key === stateKey;
    const own = outcome === 'rejected' ? undefined : state.find(isOwn);
    const key = { type: type as string, stateKey: stateKey as string };
    // Without a change, what was held is deleted: the base has nothing there.
    const taken = own ?? (held === undefined ? undefined : { event_id: null });
    const changes = valuesOf(state.filter((change) => change !== own));
    if (held !== undefined) changes.push({ ...key, eventId: held });
    const resolved =
      changes.length === 0 ? base : this.#writeNext(base, changes, taken === undefined ? root : undefined);
    return whenThere(resolved, (before) => {
      if (taken === undefined) return { before, after: before };
      const change = { type: key.type, stateKey: key.stateKey, eventId: taken.event_id };
      return whenThere(this.#writeNext(before, [change], root), (after) => ({ before, after }));
    });
  }

  #writeNext(base: StatePlace, changes: readonly StateValue[], root: string | undefined): Answer<StatePlace> {
    return writeNextState(this.rows, this.#roomId, base, lineOf(this.fact.revision), changes, root);
  }

  #noteCopy(eventId: EventId, revision: number): void {
    noteCopy(this.rows, this.#roomId, eventId, revision);
  }

  #putEvent(eventId: EventId, outcome: GraphOutcome, pdu: JsonObject, states: GraphEvent['states']): void {
    const { revision, position } = this.fact;
    putGraphEvent(this.rows, this.#roomId, eventId, { outcome, revision, position, depth: depthOf(pdu), states });
  }
}

/** Whether an event changes neither the state before it nor after it. */
function changesNoStates({ state, held_before: held }: PduWithState): boolean {
  return state.length === 0 && held === undefined;
}

/** Whether an event says something of the room's current state. */
function isOfCurrent(outcome: GraphOutcome, data: PduWithState): data is PduAccepted {
  return outcome === 'accepted' && !(changesNoStates(data) && (data as PduAccepted).current === undefined);
}
