import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { LruCache } from '#kernel/lru-cache';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { RoomEvent } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { StateTrie } from '#protocol/state-trie/state-trie';
import { type HistoryVisibility, type PduAccepted, type PduRedacted, pduTextOf } from '../facts/room-facts.js';
import { FIRST_PLACE, RoomTransactions } from './room-transactions.js';

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
  /** The transactions of its facts, whoever wrote them: a retry finds its first answer before any view has it. */
  readonly transactions: RoomTransactions;
  /** The revision up to which a snapshot is kept; -1 where there is none. */
  snapshotRevision: number;
}

const CACHED_EVENTS = 1024;

/** A room about to get its first fact, or to be folded from its stream, after the place where a snapshot stands. */
export function liveRoom(roomId: RoomId, head: RoomHead, place = FIRST_PLACE): LiveRoom {
  return {
    roomId,
    head,
    chain: undefined,
    stateRevisions: new Map(),
    events: new LruCache(CACHED_EVENTS),
    transactions: new RoomTransactions(place),
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

/** As `roomEventOfFact`, where the fact's data is parsed already. */
export function roomEventOf(
  roomId: RoomId,
  body: PduAccepted | PduRedacted,
  version: RoomVersion,
  data: string,
): RoomEvent {
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
