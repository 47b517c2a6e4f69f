import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { StateTrie } from '#protocol/state-trie/state-trie';
import { type PduAccepted, type PduRedacted, type RoomListed, roomStream } from '../facts/room-facts.js';

/** One fact of a room's history: who did what, when, from which device, with which effect on the state. */
export interface AuditEntry {
  readonly revision: number;
  readonly position: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly actor: string;
  readonly device?: string;
  readonly fact: string;
  readonly event_id?: EventId;
  readonly type?: string;
  readonly state_key?: string;
  /** In words: what it did. */
  readonly what: string;
  readonly effect: readonly { type: string; state_key: string; event_id: EventId; replaces?: EventId }[];
  /** The root of the state after it; absent where the fact does not concern the state. */
  readonly root?: string;
  readonly chain: string;
}

/** The state dictionary of one moment. */
export interface StateAt {
  readonly revision: number;
  readonly root: string;
  readonly state: readonly { type: string; state_key: string; event_id: EventId; content: JsonObject }[];
}

/** The part of a room's history to show, by revisions, both inclusive; default: all of it. */
export interface AuditRange {
  readonly from?: number;
  readonly to?: number;
}

/** A room's history in order. M_NOT_FOUND for a room that the log does not have. */
export async function* auditRoom(
  store: EventStore,
  roomId: RoomId,
  { from = 0, to = Infinity }: AuditRange = {},
): AsyncGenerator<AuditEntry> {
  let known = false;
  for await (const fact of store.readStream(roomStream(roomId), { from })) {
    known = true;
    if (fact.revision > to) return;
    yield entryOf(fact);
  }
  known ||= from > 0 && (await hasRoom(store, roomId));
  if (!known) throw new MatrixError('M_NOT_FOUND', `The log has no room ${roomId}`);
}

async function hasRoom(store: EventStore, roomId: RoomId): Promise<boolean> {
  for await (const _ of store.readStream(roomStream(roomId), { limit: 1 })) return true;
  return false;
}

/** The state dictionary after the fact of this revision, each key with its event as it was at that moment. */
export async function stateAt(store: EventStore, roomId: RoomId, revision: number): Promise<StateAt> {
  const state = new Map<string, StateAt['state'][number]>();
  let trie = StateTrie.empty;
  let last = -1;
  for await (const fact of store.readStream(roomStream(roomId))) {
    if (fact.revision > revision) break;
    last = fact.revision;
    if (fact.type !== 'pdu-accepted') continue;
    const body = JSON.parse(fact.data) as PduAccepted;
    for (const { type, state_key, event_id } of body.state) {
      trie = trie.set(type, state_key, event_id);
      state.set(stateKeyOf(type, state_key), { type, state_key, event_id, content: body.pdu['content'] as JsonObject });
    }
  }
  if (last < 0) throw new MatrixError('M_NOT_FOUND', `The log has no room ${roomId}`);
  if (last < revision)
    throw new MatrixError('M_NOT_FOUND', `${roomId} has no revision ${revision}; its last is ${last}`);
  return { revision, root: trie.rootHash, state: [...state.values()] };
}

function entryOf(fact: RecordedFact): AuditEntry {
  const { revision, position, metadata } = fact;
  const { at, actor, device, chain } = metadata;
  const common = { revision, position, at, actor, ...(device === undefined ? {} : { device }), fact: fact.type, chain };
  if (fact.type === 'pdu-accepted') return { ...common, ...ofAccepted(JSON.parse(fact.data) as PduAccepted) };
  if (fact.type === 'pdu-redacted') {
    const { event_id, redacted_by } = JSON.parse(fact.data) as PduRedacted;
    return { ...common, event_id, what: `${event_id} was redacted by ${redacted_by}`, effect: [] };
  }
  if (fact.type === 'room-listed') {
    const { listed } = JSON.parse(fact.data) as RoomListed;
    return { ...common, what: listed ? 'listed in the directory' : 'taken out of the directory', effect: [] };
  }
  return { ...common, what: fact.type, effect: [] };
}

function ofAccepted({
  pdu,
  event_id,
  state,
  root,
}: PduAccepted): Pick<AuditEntry, 'event_id' | 'type' | 'state_key' | 'what' | 'effect' | 'root'> {
  const type = String(pdu['type']);
  const key = pdu['state_key'];
  const content = pdu['content'] as JsonObject;
  const common = { event_id, type, effect: state, root };
  if (typeof key !== 'string') return { ...common, what: `sent ${type}` };
  const what =
    type === 'm.room.member' ? `set ${key} to ${String(content['membership'])}` : `set ${type}${key && ` (${key})`}`;
  return { ...common, state_key: key, what };
}
