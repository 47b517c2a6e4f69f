import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { isStateDeletion } from '#protocol/state-deletion';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import {
  currentChangeOf,
  type JoinBegun,
  type JoinGivenUp,
  type PduAccepted,
  type PduRedacted,
  type RoomListed,
  roomStream,
  type StateChange,
  type StateTaken,
} from '../facts/room-facts.js';
import { contentOf } from '../projections/room-fact-reader.js';
import { nameOfEvent, tellEvent, type Telling } from './tell-event.js';

/** One fact of a room's history: who did what, when, from which device, with which effect on the state. */
export interface AuditEntry {
  readonly revision: number;
  readonly position: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** A user id, a server name, or `server`. */
  readonly actor: string;
  /** The actor as people say it. */
  readonly who: string;
  readonly device?: string;
  readonly fact: string;
  readonly event_id?: EventId;
  readonly type?: string;
  readonly state_key?: string;
  /** In words that follow upon the name of who did it. */
  readonly what: string;
  /** What it changed in the room's current state; `event_id` is null where a key was deleted. */
  readonly effect: readonly StateChange[];
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

/** Tells one fact after another of a room. */
class RoomHistory {
  /** The content in force of each state key. */
  readonly #contents = new Map<string, JsonObject>();
  /** In words, what each redacted event was. */
  readonly #names = new Map<EventId, string>();

  constructor(
    private readonly remains: ReadonlyMap<EventId, JsonObject>,
    private readonly telling: Telling,
  ) {}

  pass(fact: RecordedFact): AuditEntry {
    const { revision, position, metadata } = fact;
    const { at, actor, device, chain } = metadata;
    const common = {
      revision,
      position,
      at,
      actor,
      who: this.telling.people(actor),
      ...(device === undefined ? {} : { device }),
      fact: fact.type,
      chain,
    };
    if (fact.type === 'pdu-accepted') return { ...common, ...this.#tellAccepted(JSON.parse(fact.data) as PduAccepted) };
    return { ...common, ...this.#tellOther(fact) };
  }

  #tellOther({ type, data }: RecordedFact): Pick<AuditEntry, 'event_id' | 'what' | 'effect'> {
    if (type === 'pdu-redacted') {
      const { event_id: eventId } = JSON.parse(data) as PduRedacted;
      return {
        event_id: eventId,
        what: `took the content of ${this.#names.get(eventId) ?? 'an event'} away`,
        effect: [],
      };
    }
    if (type === 'room-listed') {
      const { listed } = JSON.parse(data) as RoomListed;
      return { what: listed ? 'listed the room in the directory' : 'took the room out of the directory', effect: [] };
    }
    if (type === 'room-upgraded') return { what: 'replaced the room by an upgrade', effect: [] };
    if (type === 'state-taken') return this.#tellTaken(JSON.parse(data) as StateTaken);
    if (type === 'join-begun') {
      const { via } = JSON.parse(data) as JoinBegun;
      return { what: `began to join the room through ${via}: it is being joined`, effect: [] };
    }
    if (type === 'join-completed') return { what: 'completed the join of the room', effect: [] };
    if (type === 'join-given-up') {
      return { what: `gave the join of the room up: ${(JSON.parse(data) as JoinGivenUp).reason}`, effect: [] };
    }
    return { what: type, effect: [] };
  }

  #tellTaken({ event_id: eventId, state, pdu }: StateTaken): Pick<AuditEntry, 'event_id' | 'what' | 'effect'> {
    const { type, state_key: stateKey } = state[0]!;
    const remains = this.remains.get(eventId);
    this.#contents.set(stateKeyOf(type, stateKey), contentOf(remains ?? pdu));
    const name = nameOfEvent({ type, sender: pdu['sender'], stateKey }, this.telling.people);
    if (remains !== undefined) this.#names.set(eventId, name);
    return { event_id: eventId, what: `told of the state at the join: ${name}`, effect: state };
  }

  #tellAccepted(body: PduAccepted): Omit<AuditEntry, keyof Recorded> {
    const { pdu, event_id: eventId } = body;
    const { state, root } = currentChangeOf(body) ?? { state: [], root: undefined };
    const { people } = this.telling;
    const [type, sender, key] = [String(pdu['type']), pdu['sender'], pdu['state_key']];
    const stateKey = typeof key === 'string' ? key : undefined;
    const remains = this.remains.get(eventId);
    const content = contentOf(remains ?? pdu);
    if (remains !== undefined) this.#names.set(eventId, nameOfEvent({ type, sender, stateKey }, people));
    const isOwn = (change: AuditEntry['effect'][number]): boolean => change.event_id === eventId;
    const place = state.find(isOwn) ?? { type, state_key: stateKey ?? '' };
    const before = stateKey === undefined ? undefined : this.#contents.get(stateKeyOf(place.type, place.state_key));
    for (const change of state) {
      const { event_id: id } = change;
      const changed = stateKeyOf(change.type, change.state_key);
      if (id === null) this.#contents.delete(changed);
      else
        this.#contents.set(changed, id === eventId ? content : contentOf(this.remains.get(id) ?? carriedPdu(body, id)));
    }
    const redacted = this.#names.get(targetOf(pdu) as EventId);
    const version = findRoomVersion(body.room_version);
    const isDeletion = version !== undefined && isStateDeletion({ stateKey, content }, version);
    const event = { type, sender, stateKey, content, before, redacted, isDeletion, isRedacted: remains !== undefined };
    const told = {
      event_id: eventId,
      type,
      what: tellEvent(event, this.telling),
      effect: state,
      ...(root && { root }),
    };
    return stateKey === undefined ? told : { ...told, state_key: stateKey, content };
  }
}

/** The PDU of an event that a fact made current: its own, or one that it carries. */
export function carriedPdu(body: PduAccepted, eventId: EventId): JsonObject {
  if (eventId === body.event_id) return body.pdu;
  const text = body.state_pdus?.[eventId];
  return text === undefined ? {} : (JSON.parse(text) as JsonObject);
}

/** What an entry has of its fact's place in the log. */
type Recorded = Pick<AuditEntry, 'revision' | 'position' | 'at' | 'actor' | 'who' | 'device' | 'fact' | 'chain'>;

/** The event that a redaction names, wherever its room version has it. */
function targetOf(pdu: JsonObject): unknown {
  return pdu['type'] === 'm.room.redaction' ? (pdu['redacts'] ?? contentOf(pdu)['redacts']) : undefined;
}
