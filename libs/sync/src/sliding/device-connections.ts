import type { NewFact } from '#event-store/event-store';
import type { SlidingSummedUp, SlidingTold, ToldAt } from '../facts/sliding-facts.js';
import { type ToldChange, toldChangeOf, toldDataOf, ToldState } from './told-state.js';
import type { WantedState } from './wanted-state.js';

/** The states that the client of a connection may be in, by their revisions, in their order: one it came with, and what it was answered then. */
export type Connection = ReadonlyMap<number, ToldState>;

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

/** By what facts are read: the history of the log that counts (`LogHistory.name`), and `WantedState.parse` or what does the same. */
export interface FoldedBy {
  readonly history: string;
  readonly parse: (text: string) => WantedState;
}

/** What a fact makes of the connections. Those of another history of the log count for nothing. */
export function foldConnections(
  before: DeviceConnections,
  { type, data }: Pick<NewFact, 'type' | 'data'>,
  revision: number,
  { history, parse }: FoldedBy,
): DeviceConnections {
  if (type === 'sliding-closed') return { ...NO_CONNECTIONS, revision };
  const fact = JSON.parse(data) as SlidingTold | SlidingSummedUp;
  if (fact.history !== history) return { ...before, revision };
  const connections = new Map(before.connections);
  connections.delete(fact.conn);
  if ('states' in fact) {
    connections.set(fact.conn, restored(fact.states, parse));
    return { revision, connections, told: 0 };
  }
  for (const name of fact.closed ?? []) connections.delete(name);
  const change = toldChangeOf(fact, parse);
  const told = before.told + change.rooms.size + 1;
  const known = fact.after === null ? new Map() : before.connections.get(fact.conn);
  const connection = known && continued(known, fact.after, revision, change);
  // Nobody can come with what was told upon something that is not known.
  if (connection === undefined) return { ...before, revision, told };
  connections.set(fact.conn, connection);
  return { revision, connections, told };
}

function continued(
  known: Connection,
  after: number | null,
  revision: number,
  change: ToldChange,
): Connection | undefined {
  if (after === null) return new Map([[revision, new ToldState(revision, undefined, change)]]);
  const from = findState(known, after);
  if (from === undefined) return undefined;
  // The client has come with it: with no earlier one will it come again.
  from.forgetBefore();
  const answers = [...known].filter(([, state]) => state.after === after).slice(1 - MOST_ANSWERS);
  return new Map([[after, from], ...answers, [revision, new ToldState(revision, from, change)]]);
}

/** How the client stands that has the answer at a revision; undefined where that is not known. */
export function findState(connection: Connection | undefined, revision: number): ToldState | undefined {
  const state = connection?.get(revision);
  return state?.isForgotten === true ? undefined : state;
}

function restored(states: readonly ToldAt[], parse: FoldedBy['parse']): Connection {
  const connection = new Map<number, ToldState>();
  for (const { at, after, ...data } of states) {
    const before = after === null ? undefined : connection.get(after);
    connection.set(at, new ToldState(at, before, toldChangeOf(data, parse)));
  }
  return connection;
}

/** The connections that give way where one more is opened. */
export function connectionsToClose({ connections }: DeviceConnections, opened: string): string[] {
  const others = [...connections.keys()].filter((name) => name !== opened);
  return others.slice(0, Math.max(0, others.length + 1 - MOST_CONNECTIONS));
}

/** Whether so much was told that it is time to say what of it still counts, and to let the rest go. */
export function isSumDue({ connections, told }: DeviceConnections): boolean {
  let standing = 0;
  for (const states of connections.values()) for (const { change } of states.values()) standing += change.rooms.size;
  return told > TOLD_BEFORE_SUM + 2 * standing;
}

/** All that counts, a fact for each connection. */
export function sumUp({ connections }: DeviceConnections, history: string): SlidingSummedUp[] {
  return [...connections].map(([conn, states]) => ({
    conn,
    history,
    states: [...states.values()].filter(({ isForgotten }) => !isForgotten).map((state) => toldAtOf(state, states)),
  }));
}

function toldAtOf(state: ToldState, states: Connection): ToldAt {
  const after = state.after !== null && findState(states, state.after) !== undefined ? state.after : null;
  return { at: state.revision, after, ...toldDataOf(after === null ? state : state.change) };
}
