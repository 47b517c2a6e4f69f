import type { FactMetadata, NewFact } from '#event-store/event-store';
import type { SlidingSummedUp, SlidingTold, ToldAt } from '../facts/sliding-facts.js';
import { type ToldChange, toldChangeOf, toldDataOf, ToldState } from './told-state.js';
import type { WantedState } from './wanted-state.js';

/** The states that the client of a connection may be in, by their revisions, in their order: one it came with, and what it was answered then. */
type States = ReadonlyMap<number, ToldState>;

export interface Connection {
  readonly states: States;
  /** When something was noted of it last, in milliseconds since the epoch. */
  readonly notedAt: number;
}

/** The connections of a device. */
export interface DeviceConnections {
  /** The last fact. */
  readonly revision: number;
  /** The one that was told something longest ago is the first. */
  readonly connections: ReadonlyMap<string, Connection>;
  /** How much was told since all was summed up. */
  readonly told: number;
}

export const NO_CONNECTIONS: DeviceConnections = Object.freeze({ revision: -1, connections: new Map(), told: 0 });

/** More than any client has: the one that was told something longest ago gives way. */
export const MOST_CONNECTIONS = 16;
/** So many answers to one request may be on the way: more often nobody asks again without having changed what was told. */
const MOST_ANSWERS = 8;
const TOLD_BEFORE_SUM = 512;
const DAY_MS = 24 * 60 * 60_000;
/** Whoever comes back after that begins anew: MSC4186 lets connections expire. */
const EXPIRES_MS = 30 * DAY_MS;
/** A connection that is in use, and of which nothing else was to be noted for so long, is noted to be in use. */
const NOTED_EVERY_MS = 10 * DAY_MS;
/** The least that any log takes at once is 1 MB: so much of it, in bytes, may one fact be, and so much all that is appended at once. */
export const MOST_TOLD_BYTES = 500_000;
const MOST_SUMMED_BYTES = 900_000;

/** By what facts are read: the history of the log that counts (`LogHistory.name`), and `WantedState.parse` or what does the same. */
export interface FoldedBy {
  readonly history: string;
  readonly parse: (text: string) => WantedState;
}

/** What a fact makes of the connections. Those of another history of the log count for nothing. */
export function foldConnections(
  before: DeviceConnections,
  { type, data, metadata: { at } }: Pick<NewFact, 'type' | 'data'> & { readonly metadata: Pick<FactMetadata, 'at'> },
  revision: number,
  { history, parse }: FoldedBy,
): DeviceConnections {
  if (type === 'sliding-closed') return { ...NO_CONNECTIONS, revision };
  const fact = JSON.parse(data) as SlidingTold | SlidingSummedUp;
  if (fact.history !== history) return { ...before, revision };
  const connections = new Map(before.connections);
  connections.delete(fact.conn);
  for (const name of fact.closed ?? []) connections.delete(name);
  if ('states' in fact) {
    connections.set(fact.conn, { states: restored(fact.states, parse), notedAt: fact.told_at ?? at });
    return { revision, connections, told: 0 };
  }
  const change = toldChangeOf(fact, parse);
  const told = before.told + change.rooms.size + 1;
  const known = fact.after === null ? new Map() : before.connections.get(fact.conn)?.states;
  const states = known && continued(known, fact.after, revision, change);
  // Nobody can come with what was told upon something that is not known.
  if (states === undefined) return { ...before, revision, told };
  connections.set(fact.conn, { states, notedAt: at });
  return { revision, connections, told };
}

function continued(known: States, after: number | null, revision: number, change: ToldChange): States | undefined {
  if (after === null) return new Map([[revision, new ToldState(revision, undefined, change)]]);
  const from = stateIn(known, after);
  if (from === undefined) return undefined;
  // The client has come with it: with no earlier one will it come again.
  from.forgetBefore();
  const answers = [...known].filter(([, state]) => state.after === after).slice(1 - MOST_ANSWERS);
  return new Map([[after, from], ...answers, [revision, new ToldState(revision, from, change)]]);
}

/** How the client stands that has the answer at a revision; undefined where that is not known. */
export function findState(connection: Connection | undefined, revision: number): ToldState | undefined {
  return connection && stateIn(connection.states, revision);
}

function stateIn(states: States, revision: number): ToldState | undefined {
  const state = states.get(revision);
  return state?.isForgotten === true ? undefined : state;
}

function restored(states: readonly ToldAt[], parse: FoldedBy['parse']): States {
  const connection = new Map<number, ToldState>();
  for (const { at, after, ...data } of states) {
    const before = after === null ? undefined : connection.get(after);
    connection.set(at, new ToldState(at, before, toldChangeOf(data, parse)));
  }
  return connection;
}

/** Whether nobody may come with a connection any more. */
export function isExpired({ notedAt }: Connection, now: number): boolean {
  return now - notedAt > EXPIRES_MS;
}

/** Whether it is to be noted that a connection is in use, for else it would expire. */
export function isNoteDue({ notedAt }: Connection, now: number): boolean {
  return now - notedAt > NOTED_EVERY_MS;
}

/** The connections that give way as one is opened or goes on: those that have expired, and those that are too many. */
export function connectionsToClose({ connections }: DeviceConnections, opened: string, now: number): string[] {
  const others = [...connections].filter(([name]) => name !== opened);
  const tooMany = Math.max(0, others.length + 1 - MOST_CONNECTIONS);
  return others.filter(([, one], i) => i < tooMany || isExpired(one, now)).map(([name]) => name);
}

/** Whether so much was told that it is time to say what of it still counts, and to let the rest go. */
export function isSumDue({ connections, told }: DeviceConnections): boolean {
  let standing = 0;
  for (const { states } of connections.values())
    for (const { change } of states.values()) standing += change.rooms.size;
  return told > TOLD_BEFORE_SUM + 2 * standing;
}

/**
 * All that counts, a fact for each connection. Of those that are too large, or too old, there is none: whoever comes with them begins
 * anew, those first that were told something longest ago. Where none is left, nothing counts.
 */
export function sumUp({ connections }: DeviceConnections, history: string, now: number): SlidingSummedUp[] {
  const sums: SlidingSummedUp[] = [];
  const closed: string[] = [];
  let bytes = 0;
  for (const [conn, { states, notedAt }] of [...connections].toReversed()) {
    const standing = [...states.values()].filter(({ isForgotten }) => !isForgotten);
    const sum = { conn, history, states: standing.map((state) => toldAtOf(state, states)), told_at: notedAt };
    const size = Buffer.byteLength(JSON.stringify(sum));
    if (bytes + size > MOST_SUMMED_BYTES || isExpired({ states, notedAt }, now)) {
      closed.push(conn);
      continue;
    }
    bytes += size;
    sums.unshift(sum);
  }
  return sums.map((sum, i) => (i === 0 && closed.length > 0 ? { ...sum, closed } : sum));
}

function toldAtOf(state: ToldState, states: States): ToldAt {
  const after = state.after !== null && stateIn(states, state.after) !== undefined ? state.after : null;
  return { at: state.revision, after, ...toldDataOf(after === null ? state : state.change) };
}
