import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { RoomEvent } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { contentOf, redactionTargetOf, referencedIds } from './pdu-fields.js';
import type { JoinBegun, JoinCompleted, JoinFilled, PartialJoin, StateAgain, StateTaken } from './join-facts.js';
import {
  type HistoryVisibility,
  historyVisibilityOf,
  type OutlierStored,
  type PduAccepted,
  type PduRedacted,
  type StateChange,
} from './room-facts.js';
import type { RoomPurged } from './room-purged.js';
import { pduTextOf } from './fact-text.js';

/** What the header of a fact says that an accepted event does to its room. */
export type AcceptedHeader = Pick<
  PduAccepted,
  | 'room_version'
  | 'base'
  | 'state'
  | 'root'
  | 'current'
  | 'state_pdus'
  | 'told_in'
  | 'parts'
  | 'history'
  | 'extremities'
  | 'ended'
  | 'txn'
>;

/** An accepted event as the fold sees it. */
export interface AcceptedPdu {
  readonly type: 'pdu-accepted';
  readonly event: RoomEvent;
  readonly header: AcceptedHeader;
}

/** An event of the state that a join brought, as the fold sees it. */
export interface TakenState {
  readonly type: 'state-taken';
  readonly change: StateChange & { readonly event_id: EventId };
  /** The history visibility that it sets, where it sets one. */
  readonly visibility: HistoryVisibility | undefined;
}

/** The event with which a room begins that other servers tell: what was told of one with another beginning does not count. */
export interface CreateTold {
  readonly type: 'create-told';
  readonly event: RoomEvent;
  readonly version: RoomVersion;
}

/** A join that was completed with a part of the state, as the fold sees it. */
export interface PartialTold extends PartialJoin {
  readonly eventId: EventId;
}

/** What a room lacked is there, as the fold sees it. */
export interface JoinFilledFact {
  readonly type: 'join-filled';
  readonly states: readonly StateAgain[];
}

/** Nothing of the room is kept, as the fold sees it. */
export interface PurgedFact {
  readonly type: 'room-purged';
  /** Others follow. */
  readonly isPartial: boolean;
}

/** A fact of a room as the fold sees it: decided by this process or read from the log, which makes no difference to it. */
export type RoomFact =
  | AcceptedPdu
  | { readonly type: 'pdu-redacted'; readonly eventId: EventId }
  | TakenState
  | CreateTold
  | (Pick<JoinBegun, 'servers'> & { readonly type: 'join-begun'; readonly userId: UserId; readonly via: ServerName })
  /** It was completed or given up. `partial`: only a part of the state was told. */
  | { readonly type: 'join-ended'; readonly partial?: PartialTold }
  | JoinFilledFact
  | PurgedFact
  /** A part of a state that another server told. */
  | { readonly type: 'state-learnt' }
  /** Of a kind that does not concern the event graph. */
  | { readonly type: 'other' };

/** Reads a fact of the log. */
export function readRoomFact(roomId: RoomId, fact: RecordedFact): RoomFact {
  if (fact.type === 'pdu-redacted') {
    return { type: 'pdu-redacted', eventId: (JSON.parse(fact.data) as PduRedacted).event_id };
  }
  if (fact.type === 'state-taken') return readTakenState(JSON.parse(fact.data) as StateTaken);
  if (fact.type === 'join-begun') {
    const { user_id: userId, via, servers } = JSON.parse(fact.data) as JoinBegun;
    return { type: 'join-begun', userId, via, ...(servers === undefined ? {} : { servers }) };
  }
  if (fact.type === 'outlier-stored') return readOutlier(roomId, fact);
  if (fact.type === 'state-learnt') return { type: 'state-learnt' };
  if (fact.type === 'join-given-up') return { type: 'join-ended' };
  if (fact.type === 'join-completed') return joinEndedOf(JSON.parse(fact.data) as JoinCompleted);
  if (fact.type === 'join-filled') return { type: 'join-filled', states: (JSON.parse(fact.data) as JoinFilled).states };
  if (fact.type === 'room-purged') return purgedFactOf(JSON.parse(fact.data) as RoomPurged);
  if (fact.type !== 'pdu-accepted') return { type: 'other' };
  const header = JSON.parse(fact.data) as PduAccepted;
  const version = findRoomVersion(header.room_version);
  if (version === undefined) throw new Error(`${fact.stream}: unknown room version ${header.room_version}`);
  return { type: 'pdu-accepted', event: roomEventOf(roomId, header, version, fact.data), header };
}

/** How the fold sees that a room is purged. */
export function purgedFactOf({ more }: Pick<RoomPurged, 'more'>): PurgedFact {
  return { type: 'room-purged', isPartial: more === true };
}

/** How the fold sees that a join was completed. */
export function joinEndedOf({ event_id: eventId, partial }: JoinCompleted): RoomFact {
  return partial === undefined ? { type: 'join-ended' } : { type: 'join-ended', partial: { ...partial, eventId } };
}

/** PERF: told from the text before anything is parsed, for a room has one create event and many outliers. */
const CREATE_MARK = '"type":"m.room.create"';

function readOutlier(roomId: RoomId, fact: RecordedFact): RoomFact {
  if (!fact.data.includes(CREATE_MARK)) return { type: 'other' };
  const event = roomEventOfFact(roomId, fact);
  const { room_version: id } = JSON.parse(fact.data) as OutlierStored;
  return outlierFactOf(event, findRoomVersion(id)!);
}

/** What storing an event without a place does to its room. */
export function outlierFactOf(event: RoomEvent, version: RoomVersion): RoomFact {
  return event.type === 'm.room.create' ? { type: 'create-told', event, version } : { type: 'other' };
}

function readTakenState({ event_id: eventId, state, pdu }: StateTaken): TakenState {
  return takenStateOf({ ...state[0]!, event_id: eventId }, () => pdu);
}

/** What an event of the state that a join brought does to its room. `read`: what reads it, where it says something of that. */
export function takenStateOf(change: TakenState['change'], read: () => JsonObject): TakenState {
  const isVisibility = change.type === 'm.room.history_visibility' && change.state_key === '';
  return { type: 'state-taken', change, visibility: isVisibility ? historyVisibilityOf(contentOf(read())) : undefined };
}

/**
 * Reads the PDU that a fact is about or, where an event is named, the one of that event, which state resolution may have brought
 * back. The event id is the log's own: it was checked before the fact was written.
 */
export function roomEventOfFact(roomId: RoomId, fact: Pick<RecordedFact, 'data'>, eventId?: EventId): RoomEvent {
  const body = JSON.parse(fact.data) as PduAccepted | PduRedacted;
  const version = findRoomVersion(body.room_version);
  if (version === undefined) throw new Error(`the log names an unknown room version: ${body.room_version}`);
  if (eventId === undefined || eventId === body.event_id) return roomEventOf(roomId, body, version, fact.data);
  const carried = 'state_pdus' in body ? body.state_pdus?.[eventId] : undefined;
  if (carried === undefined) throw new Error(`the fact of ${body.event_id} does not carry ${eventId}`);
  const pdu = parseJson(carried, { lenient: !version.strictCanonicalJson }) as JsonObject;
  return roomEventOfPdu(roomId, eventId, pdu, version);
}

/** As `roomEventOfFact`, where the fact's data is parsed already. */
function roomEventOf(roomId: RoomId, body: PduAccepted | PduRedacted, version: RoomVersion, data: string): RoomEvent {
  // Only the old versions can hold numbers whose spelling JSON.parse would lose.
  const pdu = version.strictCanonicalJson ? body.pdu : parseJson(pduTextOf(data), { lenient: true });
  if (!isJsonObject(pdu)) throw new Error('the log holds a PDU that is no object');
  return roomEventOfPdu(roomId, body.event_id, pdu, version);
}

/** The parsed form of a PDU that this server made or has checked already. */
export function roomEventOfPdu(roomId: RoomId, eventId: EventId, pdu: JsonObject, version: RoomVersion): RoomEvent {
  const content = contentOf(pdu);
  return {
    eventId,
    roomId,
    type: pdu['type'] as string,
    sender: pdu['sender'] as UserId,
    stateKey: pdu['state_key'] as string | undefined,
    content,
    originServerTs: Number(pdu['origin_server_ts']),
    depth: Number(pdu['depth']),
    prevEvents: referencedIds(pdu['prev_events']),
    authEvents: referencedIds(pdu['auth_events']),
    redacts: redactionTargetOf(pdu, version.id),
    pdu,
  };
}
