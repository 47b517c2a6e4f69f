import type { EventId, ServerName, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { StateTrie } from '#protocol/state-trie/state-trie';
import { extremitiesAfter } from '../facts/told-extremities.js';
import type {
  AcceptedPdu,
  CreateTold,
  JoinFilledFact,
  PartialTold,
  PurgedFact,
  RoomFact,
  TakenState,
} from '../facts/read-room-fact.js';
import { currentChangeOf, type HistoryVisibility, historyVisibilityOf, type StateChange } from '../facts/room-facts.js';
import { changedBy, changesBetween } from './room-state.js';

/** A forward extremity, and the fact that holds it. */
export interface Extremity {
  readonly eventId: EventId;
  readonly revision: number;
  /** Capped at 2^53-1. */
  readonly depth: number;
  /** The root of the state after it. */
  readonly root: string;
  /** The state after it; undefined where the facts that were folded do not tell it. */
  readonly state: StateTrie | undefined;
}

/** Where a room stands after a fact. Never changed in place: a turn that fails leaves the one before it untouched. */
export interface RoomHead {
  /** Of the last fact in the stream; -1 before the first. */
  readonly revision: number;
  readonly version: RoomVersion;
  readonly createEvent: RoomEvent;
  /** The revision from which on facts are of the room with this create event: another one was told before, and all that rests on it. */
  readonly since: number;
  /** The current state: what the states after the extremities resolve to. */
  readonly state: StateTrie;
  readonly extremities: readonly Extremity[];
  /** The greatest depth of the extremities. */
  readonly depth: number;
  /** The history visibility in force in the current state. */
  readonly visibility: HistoryVisibility;
  /** The join that is under way, by which other servers tell the room; undefined where there is none. */
  readonly join: JoinUnderWay | undefined;
  /** What is to be known of the room while its state lacks members; undefined of a room that is whole. */
  readonly partial: PartialRoom | undefined;
  /** Nothing is kept of the room, and nothing was told of it since; `in-part`: all that was known of it is not gone yet. */
  readonly purged: 'in-part' | 'whole' | undefined;
}

/** A room of which other servers told a part of the state, and what has come since. */
export interface PartialRoom extends PartialTold {
  /** Of the fact that completed the join. */
  readonly revision: number;
  /** The events upon the join event, oldest first, and what each changed in the state before it. */
  readonly upon: readonly EventUpon[];
  /** What has come of the state that was lacking. */
  readonly taken: StateTrie;
  /** The history visibility that this sets, where it sets one. */
  readonly visibility?: HistoryVisibility | undefined;
  /** The revision of the last fact by which somebody fills it; undefined where nobody has begun. */
  readonly filledAt?: number;
}

interface EventUpon {
  readonly eventId: EventId;
  readonly state: readonly StateChange[];
}

/** A join that was begun, and neither completed nor given up. */
export interface JoinUnderWay {
  readonly userId: UserId;
  readonly via: ServerName;
  /** Of the fact that began it. */
  readonly revision: number;
  /** Of the state that is told members are left out: the servers that have some in the room. */
  readonly servers?: readonly ServerName[] | undefined;
}

/** Whether there is a room that anybody here has to do with: not while a first join is under way, nor after it was given up or the room purged. */
export function isHere({ revision, extremities }: Pick<RoomHead, 'revision' | 'extremities'>): boolean {
  return revision < 0 || extremities.length > 0;
}

/** What the next event is to stand on: the current state and the extremities, with the states after these as far as they are at hand. */
interface Ground {
  readonly state: StateTrie;
  readonly extremities: readonly (Pick<Extremity, 'eventId' | 'root'> & Partial<Pick<Extremity, 'state'>>)[];
}

/** The head before the create event of a room of this version is accepted. */
export function headBeforeCreate(version: RoomVersion, createEvent: RoomEvent): RoomHead {
  return {
    revision: -1,
    version,
    createEvent,
    since: 0,
    state: StateTrie.empty,
    extremities: [],
    depth: 0,
    visibility: 'shared',
    join: undefined,
    partial: undefined,
    purged: undefined,
  };
}

/**
 * Where a room stands after a fact. Pure: a turn may go on from it before the fact is in the log. `known`: the current state after it,
 * where that was computed already.
 */
export function headAfter(head: RoomHead, fact: RoomFact, known?: StateTrie): RoomHead {
  const revision = head.revision + 1;
  if (fact.type === 'create-told') return headWithCreate(head, fact, revision);
  if (fact.type === 'state-taken') return headWithTaken(head, fact, revision);
  if (fact.type === 'join-begun') {
    const { userId, via, servers } = fact;
    return { ...head, revision, join: { userId, via, revision, servers } };
  }
  if (fact.type === 'join-ended') return headWithJoinEnded(head, fact.partial, revision);
  if (fact.type === 'join-filled') return headWithFilled(head, fact, revision);
  if (fact.type === 'room-purged') return headPurged(head, fact, revision);
  if (fact.type === 'state-learnt')
    return { ...head, revision, partial: head.partial && { ...head.partial, filledAt: revision } };
  if (fact.type !== 'pdu-accepted') return { ...head, revision };
  const { event, header } = fact;
  const current = currentChangeOf(header);
  if (current === undefined) return { ...head, revision, ...extremitiesLeft(head, fact) };
  const state = known ?? changedBy(head.state, current.state);
  const before = new Map(head.extremities.map((one) => [one.eventId, one]));
  const { extremities: listed, ended, history } = header;
  const told = { event_id: event.eventId, extremities: listed, ended, history };
  const extremities = extremitiesAfter([...before.keys()], told).map((eventId) =>
    eventId === event.eventId ? newExtremity(head, fact, revision, state) : knownExtremity(before, eventId),
  );
  const depth = extremities.reduce((most, one) => Math.max(most, one.depth), 0);
  const partial = head.partial && partialWith(head.partial, event.eventId, header.state);
  const visibility = visibilityAfter(head, fact);
  return { ...head, revision, state, extremities, depth, visibility, partial };
}

/** The extremities after an event of the past, which is none itself: it may fill a gap. */
function extremitiesLeft(head: RoomHead, { event, header }: AcceptedPdu): Pick<RoomHead, 'extremities' | 'depth'> {
  const before = head.extremities.map(({ eventId }) => eventId);
  const left = new Set(extremitiesAfter(before, { ...header, event_id: event.eventId }));
  const extremities = head.extremities.filter(({ eventId }) => left.has(eventId));
  return { extremities, depth: extremities.reduce((most, one) => Math.max(most, one.depth), 0) };
}

/** Begins anew where another create event was told before: that room never was here. */
function headWithCreate(head: RoomHead, { event, version }: CreateTold, revision: number): RoomHead {
  if (!beginsAnew(head, event)) return { ...head, revision };
  return { ...headBeforeCreate(version, event), since: revision, revision };
}

/** Whether a room begins with another event than one that is told now, or with none any more. */
export function beginsAnew(
  { createEvent, purged }: Pick<RoomHead, 'createEvent' | 'purged'>,
  { eventId }: RoomEvent,
): boolean {
  return purged !== undefined || createEvent.eventId !== eventId;
}

/** As before a create event is told: also the one that it had begins it anew. */
function headPurged({ version, createEvent }: RoomHead, { isPartial }: PurgedFact, revision: number): RoomHead {
  return {
    ...headBeforeCreate(version, createEvent),
    since: revision,
    revision,
    purged: isPartial ? 'in-part' : 'whole',
  };
}

/** A head after an event whose fact goes so many revisions further back than it was decided. */
export function movedBack(head: RoomHead, eventId: EventId, revisions: number): RoomHead {
  if (revisions === 0) return head;
  const extremities = head.extremities.map((one) =>
    one.eventId === eventId ? { ...one, revision: one.revision + revisions } : one,
  );
  return { ...head, revision: head.revision + revisions, extremities };
}

function headWithJoinEnded(head: RoomHead, told: PartialTold | undefined, revision: number): RoomHead {
  const partial = told && { ...told, revision, upon: [], taken: StateTrie.empty };
  return { ...head, revision, join: undefined, partial };
}

function partialWith(partial: PartialRoom, eventId: EventId, state: readonly StateChange[]): PartialRoom {
  return { ...partial, upon: [...partial.upon, { eventId, state }] };
}

/** The state of a room as it is with what it lacked: of a key that was told, or set here, that counts. */
export function filledState({ taken }: PartialRoom, state: StateTrie): StateTrie {
  return taken.change([...state.entries()]);
}

/** A partial room has one end: events of users here, one upon another. */
function headWithFilled(head: RoomHead, { states }: JoinFilledFact, revision: number): RoomHead {
  const { partial } = head;
  if (partial === undefined) throw new Error('what is filled is whole');
  const state = filledState(partial, head.state);
  const isLacking = head.state.get('m.room.history_visibility', '') === undefined;
  const visibility = (isLacking ? partial.visibility : undefined) ?? head.visibility;
  const last = states.at(-1)!;
  const extremities = head.extremities.map((one) =>
    one.eventId === last.event_id ? { ...one, root: last.root, state } : one,
  );
  return { ...head, revision, state, extremities, visibility, partial: undefined };
}

function headWithTaken(head: RoomHead, { change, visibility }: TakenState, revision: number): RoomHead {
  const { partial } = head;
  if (partial !== undefined) {
    const taken = partial.taken.set(change.type, change.state_key, change.event_id);
    return {
      ...head,
      revision,
      partial: { ...partial, taken, visibility: visibility ?? partial.visibility, filledAt: revision },
    };
  }
  const state = head.state.set(change.type, change.state_key, change.event_id);
  return { ...head, revision, state, visibility: visibility ?? head.visibility };
}

/** How many events a new one of ours names as its parents: an event with more is refused by everybody. */
export const MOST_NAMED = 20;

/**
 * The events that the next one of ours stands on: all extremities, or those open for longest where there are more than it may name,
 * so that each has its turn and neither forged depths nor a flood of branches keep any out. First the one whose state is nearest to
 * the current one, for what is written down of the next state is its difference to that.
 */
export function parentsOfNext({ state, extremities }: Ground): EventId[] {
  const distance = (one: Ground['extremities'][number]): number => {
    if (one.root === state.rootHash) return 0;
    return one.state === undefined ? Infinity : changesBetween(one.state, state).length;
  };
  if (extremities.length === 1) return [extremities[0]!.eventId];
  const near = extremities.slice(0, MOST_NAMED).map((one) => ({ ...one, distance: distance(one) }));
  return near.sort((a, b) => a.distance - b.distance).map(({ eventId }) => eventId);
}

/** The depth of an event of ours that stands on one of this depth and none deeper: where that cannot be surpassed, the same. */
export function depthOfNext(depth: number): number {
  return Math.min(depth + 1, Number.MAX_SAFE_INTEGER);
}

/** The history visibility of the current state after an accepted event. */
function visibilityAfter(head: RoomHead, { event, header }: AcceptedPdu): HistoryVisibility {
  const change = currentChangeOf(header)?.state.find(
    ({ type, state_key: key }) => type === 'm.room.history_visibility' && key === '',
  );
  if (change === undefined) return head.visibility;
  const { event_id: eventId } = change;
  if (eventId === event.eventId) return historyVisibilityOf(event.content);
  const text = eventId === null ? undefined : header.state_pdus?.[eventId];
  const content = text === undefined ? undefined : (JSON.parse(text) as JsonObject)['content'];
  return historyVisibilityOf(isJsonObject(content) ? content : {});
}

function newExtremity(head: RoomHead, { event, header }: AcceptedPdu, revision: number, current: StateTrie): Extremity {
  const { root } = header;
  const { eventId } = event;
  const depth = Math.min(event.depth, Number.MAX_SAFE_INTEGER);
  const isCurrent = (header.current ?? header).root === root;
  return { eventId, revision, depth, root, state: isCurrent ? current : stateAfter(head, event, header) };
}

/** The state after an event that goes beside others, where its base is one of the extremities. */
function stateAfter(head: RoomHead, event: RoomEvent, { base, state }: AcceptedPdu['header']): StateTrie | undefined {
  const known = head.extremities.find(({ eventId }) => eventId === (base ?? event.prevEvents[0]));
  return known?.state && changedBy(known.state, state);
}

function knownExtremity(before: ReadonlyMap<EventId, Extremity>, eventId: EventId): Extremity {
  const known = before.get(eventId);
  if (known === undefined) throw new Error(`${eventId} is called a forward extremity but was not one before`);
  return known;
}
