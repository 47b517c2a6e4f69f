import type { EventStore } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { BatchRows } from '#projections/batch-rows';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { StateTrie } from '#protocol/state-trie/state-trie';
import type { JoinCompleted } from '../facts/join-facts.js';
import { currentChangeOf, type OutlierStored, type PduAccepted, roomStream } from '../facts/room-facts.js';
import { isAfterGap } from '../facts/fact-text.js';
import { GRAPH_COLLECTIONS } from '../graph/graph-collections.js';
import { isOfGraph, projectGraph } from '../graph/project-graph.js';
import { RoomGraph } from '../graph/room-graph.js';

import { contentOf } from '../facts/pdu-fields.js';
import { findRemains } from './audit-room.js';
import { carriedPdu } from './room-history.js';

/** The state dictionary of one moment. */
export interface StateAt {
  /** Of the last fact before that moment, or of the one that decided the event. */
  readonly revision: number;
  readonly root: string;
  readonly state: readonly StateHeld[];
}

interface StateHeld {
  readonly type: string;
  readonly state_key: string;
  readonly event_id: EventId;
  /** What was redacted, at any time, is not told. */
  readonly content: JsonObject;
}

/** The moments at which a room can be looked at: what this server took for its state then, or the state after an event. */
export type Moment =
  | { readonly revision: number }
  /** Milliseconds since the epoch: just before it. */
  | { readonly before: number }
  | { readonly eventId: EventId };

/**
 * The state of a room at a moment, from the log alone. Throws M_NOT_FOUND for a room, a revision or an event that the log does not
 * have, and for an event whose state nobody told.
 */
export function stateAt(store: EventStore, roomId: RoomId, moment: Moment): Promise<StateAt> {
  return 'eventId' in moment ? stateAfter(store, roomId, moment.eventId) : currentStateAt(store, roomId, moment);
}

async function currentStateAt(
  store: EventStore,
  roomId: RoomId,
  moment: Exclude<Moment, { eventId: EventId }>,
): Promise<StateAt> {
  const { revision = Infinity, before = Infinity } = moment as { revision?: number; before?: number };
  const state = new Map<string, StateHeld>();
  const remains = await findRemains(store, roomId);
  let trie = StateTrie.empty;
  let last = -1;
  let isKnown = false;
  for await (const fact of store.readStream(roomStream(roomId))) {
    isKnown = true;
    if (fact.revision > revision || fact.metadata.at >= before) break;
    last = fact.revision;
    if (fact.type !== 'pdu-accepted' && fact.type !== 'state-taken') continue;
    const body = JSON.parse(fact.data) as PduAccepted;
    for (const { type, state_key, event_id } of currentChangeOf(body)?.state ?? []) {
      if (event_id === null) {
        trie = trie.delete(type, state_key);
        state.delete(stateKeyOf(type, state_key));
        continue;
      }
      trie = trie.set(type, state_key, event_id);
      const content = contentOf(remains.get(event_id) ?? carriedPdu(body, event_id));
      state.set(stateKeyOf(type, state_key), { type, state_key, event_id, content });
    }
  }
  if (!isKnown) throw notFound(`The log has no room ${roomId}`);
  if (last < 0) throw notFound(`${roomId} was not there yet`);
  if (revision !== Infinity && last < revision)
    throw notFound(`${roomId} has no revision ${revision}; its last is ${last}`);
  return { revision: last, root: trie.rootHash, state: [...state.values()] };
}

/** By the graph of the room, made anew in memory: where it forks, only that tells what an event stood on. */
async function stateAfter(store: EventStore, roomId: RoomId, eventId: EventId): Promise<StateAt> {
  const rows = new BatchRows(NOTHING, new Map(GRAPH_COLLECTIONS.map((name) => [name, name])));
  let isKnown = false;
  let isPartial = false;
  let isFound = false;
  for await (const fact of store.readStream(roomStream(roomId))) {
    isKnown = true;
    if (isOfGraph(fact.type)) await projectGraph(fact, rows);
    if (fact.type === 'join-completed') isPartial = (JSON.parse(fact.data) as JoinCompleted).partial !== undefined;
    else if (fact.type === 'join-filled') isPartial = false;
    if (fact.data.includes(eventId) && (await new RoomGraph(rows, roomId).findStateAfter(eventId))) isFound = true;
    // What came to a part of a room is told anew once all of it is here. That a join brought no more is said behind the join event.
    if (isFound && !isPartial && !isAfterGap(fact.data)) break;
  }
  if (!isKnown) throw notFound(`The log has no room ${roomId}`);
  const graph = new RoomGraph(rows, roomId);
  const [event, found] = [await graph.findEvent(eventId), await graph.findStateAfter(eventId)];
  if (event === undefined) throw notFound(`${roomId} has no event ${eventId}`);
  if (found === undefined) throw notFound(`${eventId} has no place in ${roomId}: it is known from elsewhere alone`);
  const entries = await found.list();
  const contents = await contentsOf(store, roomId, new Set(entries.map((entry) => entry.eventId)));
  const state = entries.map(({ type, stateKey, eventId: id }) => {
    return { type, state_key: stateKey, event_id: id, content: contents.get(id) ?? {} };
  });
  return { revision: event.revision, root: (await found.trie()).rootHash, state };
}

const NOTHING = { get: () => Promise.resolve(undefined), scan: () => Promise.resolve([]) };

async function contentsOf(
  store: EventStore,
  roomId: RoomId,
  ids: ReadonlySet<EventId>,
): Promise<ReadonlyMap<EventId, JsonObject>> {
  const remains = await findRemains(store, roomId);
  const contents = new Map<EventId, JsonObject>();
  for await (const { type, data } of store.readStream(roomStream(roomId))) {
    if (type === 'pdu-redacted' || !isOfGraph(type)) continue;
    const { event_id: id, pdu } = JSON.parse(data) as Partial<OutlierStored>;
    if (id !== undefined && pdu !== undefined && ids.has(id)) contents.set(id, contentOf(remains.get(id) ?? pdu));
  }
  return contents;
}

function notFound(words: string): MatrixError {
  return new MatrixError('M_NOT_FOUND', words);
}
