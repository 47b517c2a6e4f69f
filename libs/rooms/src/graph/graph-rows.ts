import type { Answer } from '#kernel/answer';
import type { EventId, RoomId } from '#kernel/ids';
import { longPosition, type Position, shortPosition } from '#kernel/position';
import { shortHash } from '#kernel/short-hash';
import { asJson, Collection } from '#projections/collection';
import type { OwnRows } from '#projections/projector';
import type { Views } from '#projections/views';

/** What the graph is read from: the views, a projector's own rows, or what a worker has in memory upon the views. */
export type GraphRows = Pick<OwnRows, 'get' | 'scan'>;

/** What became of an event. An outlier has no place in the graph; of a rejected one its own auth events do not allow it. */
export type GraphOutcome = 'accepted' | 'soft-failed' | 'rejected' | 'outlier' | 'rejected-outlier';

/**
 * Where a state is kept: each change of state goes on a line, or begins one where the line has gone another way from there.
 * The index counts the changes of a line from 1.
 */
export interface StatePlace {
  readonly line: string;
  readonly index: number;
  /** The bucket whose row there tells the root; undefined where none does. */
  readonly rootIn?: string;
}

/** Where no state is: before the first event of a room. */
export const NO_STATE: StatePlace = Object.freeze({ line: '', index: 0 });

/** What is known of an event by its room and its id. */
export interface GraphEvent {
  readonly outcome: GraphOutcome;
  /** Of the fact that decided it, in the room's stream. */
  readonly revision: number;
  readonly position: Position;
  /** Capped at 2^53-1. */
  readonly depth: number;
  /** undefined for an outlier. */
  readonly states: EventStates | undefined;
}

/** Where the states are that an event stands on and makes. */
export interface EventStates {
  readonly before: StatePlace;
  readonly after: StatePlace;
  /** The room's current state once the event was accepted, where that is another than the one after it. */
  readonly current?: StatePlace;
}

/** A state that another server told, as far as its parts are here. */
export interface LearntRow {
  /** Of the last part's fact. */
  readonly revision: number;
  readonly part: number;
  readonly parts: number;
  /** Of the whole state, as its parts tell it. */
  readonly root: string;
  readonly place: StatePlace;
}

const LETTERS: Readonly<Record<GraphOutcome, string>> = {
  accepted: 'a',
  'soft-failed': 's',
  rejected: 'r',
  outlier: 'o',
  'rejected-outlier': 'x',
};
const OUTCOMES = new Map(Object.entries(LETTERS).map(([outcome, letter]) => [letter, outcome as GraphOutcome]));

/** As many digits in base 36 as the largest index of a line needs: 2^31. */
const INDEX_DIGITS = 6;

/** The last part of a key that ends in a place: sorts by the index. */
export function indexKey(index: number): string {
  return index.toString(36).padStart(INDEX_DIGITS, '0');
}

/** Reads what `indexKey` wrote. */
export function indexOfKey(key: string): number {
  return Number.parseInt(key, 36);
}

/** The name of a line: the revision of the fact that began it. */
export function lineOf(revision: number): string {
  return revision.toString(36);
}

/** The row of an event. Short, because there is one of every event. */
export function formatGraphEvent({ outcome, revision, position, depth, states }: GraphEvent): string {
  const head = `${LETTERS[outcome]} ${revision} ${shortPosition(position)} ${depth}`;
  if (states === undefined) return head;
  const { before, after, current } = states;
  const place = `${head} ${formatStatePlace(after)}`;
  if (current !== undefined) return `${place} ${formatStatePlace(before)} ${formatStatePlace(current)}`;
  return isSameStatePlace(before, after) ? place : `${place} ${formatStatePlace(before)}`;
}

/** Reads what `formatGraphEvent` wrote. */
function parseGraphEvent(text: string): GraphEvent {
  const [letter, revision, position, depth, place, earlier, current] = text.split(' ');
  return {
    outcome: OUTCOMES.get(letter!)!,
    revision: Number(revision),
    position: longPosition(position!),
    depth: Number(depth),
    states: place === undefined ? undefined : statesOf(place, earlier, current),
  };
}

function statesOf(place: string, earlier: string | undefined, current: string | undefined): EventStates {
  const after = statePlaceOf(place);
  const before = earlier === undefined ? after : statePlaceOf(earlier);
  return current === undefined ? { before, after } : { before, after, current: statePlaceOf(current) };
}

/** As `statePlaceOf` reads it. */
export function formatStatePlace({ line, index, rootIn }: StatePlace): string {
  return rootIn === undefined ? `${line}:${index}` : `${line}:${index}:${rootIn}`;
}

/** Reads what `formatStatePlace` wrote. */
export function statePlaceOf(text: string): StatePlace {
  const [line, index, rootIn] = text.split(':');
  return rootIn === undefined ? { line: line!, index: Number(index) } : { line: line!, index: Number(index), rootIn };
}

/** Whether two places are the same, and so the states there. */
export function isSameStatePlace(a: StatePlace, b: StatePlace): boolean {
  return a.line === b.line && a.index === b.index;
}

type GraphEventKey = readonly [hash: string];

/**
 * The key of what is known of an event. PERF: there is a row of every event, whose ids would take more than all that it says, and
 * nobody asks for the events of a room by it (`npm run bench -- state`).
 */
function graphEventKey(roomId: RoomId, eventId: EventId): GraphEventKey {
  return [shortHash(`${roomId} ${eventId}`)];
}

export const GRAPH_EVENTS = new Collection<GraphEventKey, GraphEvent>('graph-events', {
  key: ['hash of room and event'],
  says: 'outcome, revision, position, depth, where its states are',
  codec: { encode: formatGraphEvent, decode: parseGraphEvent },
});

/** How far the state before an event has been told. */
export const GRAPH_LEARNT = new Collection<readonly [roomId: RoomId, eventId: EventId], LearntRow>('graph-learnt', {
  key: ['room', 'event'],
  says: 'where the state is that was told of before it',
  codec: asJson(),
});

/** As `findGraphEvent`, of many at once, in the order of the ids. */
export function findGraphEvents(
  views: Pick<Views, 'getMany'>,
  roomId: RoomId,
  eventIds: readonly EventId[],
): Promise<(GraphEvent | undefined)[]> {
  return GRAPH_EVENTS.getMany(
    views,
    eventIds.map((eventId) => graphEventKey(roomId, eventId)),
  );
}

/** Those of some rooms that know of an event. */
export async function roomsThatKnow(
  views: Pick<Views, 'getMany'>,
  roomIds: readonly RoomId[],
  eventId: EventId,
): Promise<RoomId[]> {
  const keys = roomIds.map((roomId) => graphEventKey(roomId, eventId));
  const found = await GRAPH_EVENTS.getMany(views, keys);
  return roomIds.filter((_, i) => found[i] !== undefined);
}

/** Writes down what is known of an event. */
export function putGraphEvent(rows: OwnRows, roomId: RoomId, eventId: EventId, event: GraphEvent): void {
  GRAPH_EVENTS.put(rows, graphEventKey(roomId, eventId), event);
}

/** Takes away what is known of an event. */
export function forgetGraphEvent(rows: OwnRows, roomId: RoomId, eventId: EventId): void {
  GRAPH_EVENTS.delete(rows, graphEventKey(roomId, eventId));
}

/** What the room knows of an event; undefined where it knows nothing, also where another room has it. */
export function findGraphEvent(rows: GraphRows, roomId: RoomId, eventId: EventId): Answer<GraphEvent | undefined> {
  return GRAPH_EVENTS.get(rows, graphEventKey(roomId, eventId));
}
