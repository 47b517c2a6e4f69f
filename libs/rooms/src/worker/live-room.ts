import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { LruCache } from '#kernel/lru-cache';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { RoomEvent } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { StateTrie } from '#protocol/state-trie/state-trie';
import {
  type HistoryVisibility,
  historyVisibilityOf,
  type PduAccepted,
  type PduRedacted,
  pduTextOf,
  type StateChange,
} from '../facts/room-facts.js';

/** A forward extremity and the fact that holds it. */
export interface Extremity {
  readonly eventId: EventId;
  readonly revision: number;
}

/** Where a room stands after a fact. Never changed in place: a turn that fails leaves the one before it untouched. */
export interface RoomHead {
  /** Of the last fact in the stream; -1 before the first. */
  readonly revision: number;
  readonly version: RoomVersion;
  readonly createEvent: RoomEvent;
  readonly state: StateTrie;
  readonly extremities: readonly Extremity[];
  /** The greatest depth of the extremities. */
  readonly depth: number;
  /** The history visibility in force. */
  readonly visibility: HistoryVisibility;
}

/** A room in memory: its head, and where the log keeps the events that a decision may need. */
export interface LiveRoom {
  readonly roomId: RoomId;
  head: RoomHead;
  /** The chain of the last fact in the stream. */
  chain: string | undefined;
  /** For every event of the current state the fact that holds it, in the form in force (redacted or not). */
  readonly stateRevisions: Map<EventId, number>;
  /** PERF: the state events that decisions used last, parsed; measured by bench/send.ts. */
  readonly events: LruCache<EventId, RoomEvent>;
  /** Transactions answered lately, by fact id: a retry finds its first answer before any view has it. */
  readonly transactions: LruCache<string, EventId>;
  /** The revision up to which a snapshot is kept; -1 where there is none. */
  snapshotRevision: number;
}

const CACHED_EVENTS = 1024;
const CACHED_TRANSACTIONS = 1024;

/** A room about to get its first fact, or to be folded from its stream. */
export function liveRoom(roomId: RoomId, head: RoomHead): LiveRoom {
  return {
    roomId,
    head,
    chain: undefined,
    stateRevisions: new Map(),
    events: new LruCache(CACHED_EVENTS),
    transactions: new LruCache(CACHED_TRANSACTIONS),
    snapshotRevision: -1,
  };
}

/** Reads the PDU that a fact carries. The event id is the log's own: it was checked before the fact was written. */
export function roomEventOfFact(roomId: RoomId, fact: Pick<RecordedFact, 'data'>): RoomEvent {
  const body = JSON.parse(fact.data) as PduAccepted | PduRedacted;
  const version = findRoomVersion(body.room_version);
  if (version === undefined) throw new Error(`the log names an unknown room version: ${body.room_version}`);
  return roomEventOf(roomId, body, version, fact.data);
}

function roomEventOf(roomId: RoomId, body: PduAccepted | PduRedacted, version: RoomVersion, data: string): RoomEvent {
  // Only the old versions can hold numbers whose spelling JSON.parse would lose.
  const pdu = version.strictCanonicalJson ? body.pdu : parseJson(pduTextOf(data), { lenient: true });
  if (!isJsonObject(pdu)) throw new Error('the log holds a PDU that is no object');
  return roomEventOfPdu(roomId, body.event_id, pdu, version);
}

/** The parsed form of a PDU that this server made or has checked already. */
export function roomEventOfPdu(roomId: RoomId, eventId: EventId, pdu: JsonObject, version: RoomVersion): RoomEvent {
  const content = isJsonObject(pdu['content']) ? pdu['content'] : {};
  return {
    eventId,
    roomId,
    type: pdu['type'] as string,
    sender: pdu['sender'] as UserId,
    stateKey: pdu['state_key'] as string | undefined,
    content,
    originServerTs: Number(pdu['origin_server_ts']),
    depth: Number(pdu['depth']),
    prevEvents: idsOf(pdu['prev_events']),
    authEvents: idsOf(pdu['auth_events']),
    redacts: (version.redactsInContent ? content['redacts'] : pdu['redacts']) as EventId | undefined,
    pdu,
  };
}

function idsOf(references: unknown): EventId[] {
  return (references as (EventId | [EventId, unknown])[]).map((one) => (typeof one === 'string' ? one : one[0]));
}

/** The head before the create event of a room of this version is accepted. */
export function headBeforeCreate(version: RoomVersion, createEvent: RoomEvent): RoomHead {
  return {
    revision: -1,
    version,
    createEvent,
    state: StateTrie.empty,
    extremities: [],
    depth: 0,
    visibility: 'shared',
  };
}

/**
 * Applies one recorded fact: what a room is after a start, and after another process wrote to it. Facts of kinds that do not
 * concern the state move the revision alone.
 */
export function evolveRoom(room: LiveRoom | undefined, roomId: RoomId, fact: RecordedFact): LiveRoom {
  const { revision } = fact;
  if (fact.type === 'pdu-accepted') {
    const body = JSON.parse(fact.data) as PduAccepted;
    const version = findRoomVersion(body.room_version);
    if (version === undefined) throw new Error(`${fact.stream}: unknown room version ${body.room_version}`);
    const event = roomEventOf(roomId, body, version, fact.data);
    room ??= liveRoom(roomId, headBeforeCreate(version, event));
    room.head = headAfter(room.head, event, body, revision);
    noteAccepted(room, event, body.state, revision);
  } else {
    if (room === undefined) throw new Error(`${fact.stream} does not begin with a create event`);
    if (fact.type === 'pdu-redacted') {
      noteRedacted(room, (JSON.parse(fact.data) as PduRedacted).event_id, revision);
    }
    room.head = { ...room.head, revision };
  }
  room.chain = fact.metadata.chain;
  return room;
}

/** The head after an accepted event that is or will be the fact of this revision. */
export function headAfter(
  head: RoomHead,
  event: RoomEvent,
  effect: Pick<PduAccepted, 'state' | 'extremities'>,
  revision: number,
): RoomHead {
  let { state, visibility } = head;
  for (const change of effect.state) {
    state = state.set(change.type, change.state_key, change.event_id);
    if (change.event_id === event.eventId && change.type === 'm.room.history_visibility' && change.state_key === '') {
      visibility = historyVisibilityOf(event.content);
    }
  }
  const extremities = effect.extremities.map((eventId) =>
    eventId === event.eventId ? { eventId, revision } : knownExtremity(head, eventId),
  );
  return { ...head, revision, state, visibility, extremities, depth: Math.max(head.depth, event.depth) };
}

function knownExtremity(head: RoomHead, eventId: EventId): Extremity {
  const known = head.extremities.find((one) => one.eventId === eventId);
  if (known === undefined) throw new Error(`${eventId} is called a forward extremity but was not one before`);
  return known;
}

/** Notes where the log keeps the events of the state, once the fact is in it. */
export function noteAccepted(
  room: LiveRoom,
  event: RoomEvent,
  changes: readonly StateChange[],
  revision: number,
): void {
  for (const change of changes) {
    if (change.replaces !== undefined) {
      room.stateRevisions.delete(change.replaces);
      room.events.delete(change.replaces);
    }
    if (change.event_id === event.eventId) {
      room.stateRevisions.set(event.eventId, revision);
      room.events.set(event.eventId, event);
    }
  }
}

/** A redaction took effect: an event of the state is from now on read from the fact that holds what remains of it. */
export function noteRedacted(room: LiveRoom, eventId: EventId, revision: number): void {
  room.events.delete(eventId);
  if (room.stateRevisions.has(eventId)) room.stateRevisions.set(eventId, revision);
}
