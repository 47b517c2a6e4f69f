import type { EventStore } from '#event-store/event-store';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { type PduRedacted, roomStream, type StateChange } from '../facts/room-facts.js';
import { RoomHistory } from './room-history.js';
import type { Telling } from './tell-event.js';

/** A change of the current state. */
export interface ToldChange extends StateChange {
  /** What the key says now, where another event than the entry's own has it from here on. */
  readonly content?: JsonObject;
}

/** One fact of a room's history: who did what, when, from which device, with which effect on the state. */
export interface AuditEntry {
  readonly revision: number;
  readonly position: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** A user id, a server name, or `server`. */
  readonly actor: string;
  /** Who did it, as people say it: of an event of another server its sender, else the actor. */
  readonly who: string;
  readonly device?: string;
  /** The server that sent it, where that was not this one. */
  readonly origin?: ServerName;
  /** The transaction in which that sent it, where it came in one. */
  readonly transaction?: string;
  readonly fact: string;
  readonly event_id?: EventId;
  readonly type?: string;
  readonly state_key?: string;
  /** In words that follow upon the name of who did it. */
  readonly what: string;
  /** What it changed in the room's current state; `event_id` is null where a key was deleted. */
  readonly effect: readonly ToldChange[];
  /** Of a state event: what the state says now. */
  readonly content?: JsonObject;
  /** The root of the state after it; absent where the fact does not concern the state. */
  readonly root?: string;
  readonly chain: string;
}

/** What of a room's history is told, and how. */
export interface AuditOptions extends Telling {
  /** Revisions, both inclusive; default: all of them. */
  readonly from?: number;
  readonly to?: number;
  /** Milliseconds since the epoch: from this moment (inclusive), up to that one (exclusive). */
  readonly since?: number;
  readonly until?: number;
}

/**
 * A room's history in order. The room is read from its beginning whatever the range, for what an event changed is told by what
 * was there before it; nothing is held of it but its state and what redactions left. Content that was redacted, at any time, is
 * not told. M_NOT_FOUND for a room that the log does not have.
 */
export async function* auditRoom(store: EventStore, roomId: RoomId, options: AuditOptions): AsyncGenerator<AuditEntry> {
  const { from = 0, to = Infinity, since = -Infinity, until = Infinity } = options;
  const history = new RoomHistory(await findRemains(store, roomId), options);
  let known = false;
  for await (const fact of store.readStream(roomStream(roomId))) {
    known = true;
    if (fact.revision > to) return;
    const entry = history.pass(fact);
    if (fact.revision >= from && entry.at >= since && entry.at < until) yield entry;
  }
  if (!known) throw new MatrixError('M_NOT_FOUND', `The log has no room ${roomId}`);
}

/** What redactions left of events, by the events' ids. */
export async function findRemains(store: EventStore, roomId: RoomId): Promise<ReadonlyMap<EventId, JsonObject>> {
  const remains = new Map<EventId, JsonObject>();
  for await (const fact of store.readStream(roomStream(roomId))) {
    if (fact.type !== 'pdu-redacted') continue;
    const { event_id: eventId, pdu } = JSON.parse(fact.data) as PduRedacted;
    remains.set(eventId, pdu);
  }
  return remains;
}
