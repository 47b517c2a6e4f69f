import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { historyVisibilityOf, type PduAccepted, type PduRedacted } from '../facts/room-facts.js';
import { type Extremity, headBeforeCreate, type LiveRoom, liveRoom, type RoomHead, roomEventOf } from './live-room.js';
import { type FactPlace, transactionName } from './room-transactions.js';

/** What the header of a fact says that an accepted event does to its room. */
export type AcceptedHeader = Pick<PduAccepted, 'room_version' | 'state' | 'extremities' | 'txn'>;

/** A fact of a room as the fold sees it: decided by this process or read from the log, which makes no difference to it. */
export type RoomFact =
  | { readonly type: 'pdu-accepted'; readonly event: RoomEvent; readonly header: AcceptedHeader }
  | { readonly type: 'pdu-redacted'; readonly eventId: EventId }
  /** Of a kind that does not concern the event graph. */
  | { readonly type: 'other' };

/** Reads a fact of the log. */
export function readRoomFact(roomId: RoomId, fact: RecordedFact): RoomFact {
  if (fact.type === 'pdu-redacted') {
    return { type: 'pdu-redacted', eventId: (JSON.parse(fact.data) as PduRedacted).event_id };
  }
  if (fact.type !== 'pdu-accepted') return { type: 'other' };
  const header = JSON.parse(fact.data) as PduAccepted;
  const version = findRoomVersion(header.room_version);
  if (version === undefined) throw new Error(`${fact.stream}: unknown room version ${header.room_version}`);
  return { type: 'pdu-accepted', event: roomEventOf(roomId, header, version, fact.data), header };
}

/** The room before a first fact that was read from the log. Throws where that is no create event. */
export function roomBefore(roomId: RoomId, first: RecordedFact): LiveRoom {
  const fact = readRoomFact(roomId, first);
  const version = fact.type === 'pdu-accepted' ? findRoomVersion(fact.header.room_version) : undefined;
  if (fact.type !== 'pdu-accepted' || version === undefined) {
    throw new Error(`${first.stream} does not begin with a create event`);
  }
  return liveRoom(roomId, headBeforeCreate(version, fact.event));
}

/** Where a room stands after a fact. Pure: a turn may go on from it before the fact is in the log. */
export function headAfter(head: RoomHead, fact: RoomFact): RoomHead {
  const revision = head.revision + 1;
  if (fact.type !== 'pdu-accepted') return { ...head, revision };
  const { event, header } = fact;
  let { state, visibility } = head;
  for (const change of header.state) {
    state = state.set(change.type, change.state_key, change.event_id);
    if (change.event_id === event.eventId && change.type === 'm.room.history_visibility' && change.state_key === '') {
      visibility = historyVisibilityOf(event.content);
    }
  }
  const extremities = header.extremities.map((eventId) =>
    eventId === event.eventId ? { eventId, revision } : knownExtremity(head, eventId),
  );
  return { ...head, revision, state, visibility, extremities, depth: Math.max(head.depth, event.depth) };
}

function knownExtremity(head: RoomHead, eventId: EventId): Extremity {
  const known = head.extremities.find((one) => one.eventId === eventId);
  if (known === undefined) throw new Error(`${eventId} is called a forward extremity but was not one before`);
  return known;
}

/**
 * Takes the next fact of the log into the room. There is no other way in: what this process has just appended, what another
 * one wrote meanwhile and what a cold room is folded from all come through here, so a room is the same whoever wrote it.
 * `head` is `headAfter(room.head, fact)`, for who has it already.
 */
export function evolveRoom(
  room: LiveRoom,
  fact: RoomFact,
  recorded: Pick<RecordedFact, 'position' | 'metadata'>,
  head = headAfter(room.head, fact),
): void {
  room.head = head;
  room.chain = recorded.metadata.chain;
  const place = { revision: head.revision, position: recorded.position };
  if (fact.type === 'pdu-accepted') noteAccepted(room, fact, place);
  else if (fact.type === 'pdu-redacted') noteRedacted(room, fact.eventId, place.revision);
}

function noteAccepted(
  room: LiveRoom,
  { event, header }: RoomFact & { readonly type: 'pdu-accepted' },
  place: FactPlace,
): void {
  for (const change of header.state) {
    if (change.replaces !== undefined) {
      room.stateRevisions.delete(change.replaces);
      room.events.delete(change.replaces);
    }
    if (change.event_id === event.eventId) {
      room.stateRevisions.set(event.eventId, place.revision);
      room.events.set(event.eventId, event);
    }
  }
  if (header.txn !== undefined) room.transactions.note(transactionName(event, header.txn), event.eventId, place);
}

/** A redaction took effect: an event of the state is from now on read from the fact that holds what remains of it. */
function noteRedacted(room: LiveRoom, eventId: EventId, revision: number): void {
  room.events.delete(eventId);
  if (room.stateRevisions.has(eventId)) room.stateRevisions.set(eventId, revision);
}
