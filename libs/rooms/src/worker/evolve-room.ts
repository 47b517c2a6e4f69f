import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { headAfter, headBeforeCreate } from '../decide/room-head.js';
import { type AcceptedPdu, roomEventOfFact, roomEventOfPdu, type RoomFact } from '../facts/read-room-fact.js';
import { currentChangeOf, type OutlierStored, type PduAccepted } from '../facts/room-facts.js';
import type { RoomPurged } from '../facts/room-purged.js';
import { type LiveRoom, liveRoom } from './live-room.js';
import { type FactPlace, RoomTransactions, transactionName } from './room-transactions.js';

/** What a room began with of which nothing is kept: nobody asks for it. */
const NOTHING: JsonObject = Object.freeze({
  type: 'm.room.create',
  sender: '',
  content: Object.freeze({}),
  depth: 0,
  origin_server_ts: 0,
  prev_events: [],
  auth_events: [],
});

/** Whether the first fact that is left of a room is about to go: a log may not have come to the end of what stood before a purge. */
export function isGoing({ revision, type }: Pick<RecordedFact, 'revision' | 'type'>): boolean {
  return revision > 0 && type !== 'room-purged';
}

/** Whether a room was purged, by another process, and what came between has gone. */
export function isPurgedSince(
  { head }: LiveRoom,
  { revision, type }: Pick<RecordedFact, 'revision' | 'type'>,
): boolean {
  return type === 'room-purged' && revision > head.revision + 1;
}

/**
 * The room before a first fact that was read from the log: its create event, accepted or told by a join, or that it was purged. Throws
 * where it is none of these.
 */
export function roomBefore(roomId: RoomId, first: RecordedFact): LiveRoom {
  if (first.type === 'room-purged') return roomBeforePurge(roomId, first);
  const isOfEvent = first.type === 'pdu-accepted' || first.type === 'outlier-stored';
  const event = isOfEvent ? roomEventOfFact(roomId, first) : undefined;
  if (event?.type !== 'm.room.create') throw new Error(`${first.stream} does not begin with a create event`);
  const { room_version: id } = JSON.parse(first.data) as PduAccepted | OutlierStored;
  return liveRoom(roomId, headBeforeCreate(findRoomVersion(id)!, event));
}

function roomBeforePurge(roomId: RoomId, { data, revision }: RecordedFact): LiveRoom {
  const { room_version: id } = JSON.parse(data) as RoomPurged;
  const version = findRoomVersion(id)!;
  const nothing = roomEventOfPdu(roomId, '' as EventId, NOTHING, version);
  return liveRoom(roomId, { ...headBeforeCreate(version, nothing), revision: revision - 1 });
}

/**
 * Takes the next fact of the log into the room. There is no other way in: what this process has just appended, what another
 * one wrote meanwhile and what a cold room is folded from all come through here, so a room is the same whoever wrote it.
 * `head` is `headAfter(room.head, fact)`, for who has it already.
 */
export function evolveRoom(
  room: LiveRoom,
  fact: RoomFact,
  recorded: Omit<RecordedFact, 'id'>,
  head = headAfter(room.head, fact),
): void {
  if (head.since !== room.head.since) forgetAll(room);
  room.head = head;
  room.chain = recorded.metadata.chain;
  room.position = recorded.position;
  room.graph?.note(recorded);
  const place = { revision: head.revision, position: recorded.position };
  if (fact.type === 'pdu-accepted') noteAccepted(room, fact, place);
  else if (fact.type === 'state-taken') room.stateRevisions.set(fact.change.event_id, place.revision);
  else if (fact.type === 'pdu-redacted') noteRedacted(room, fact.eventId, place.revision);
  // The states after its events are others now.
  else if (fact.type === 'join-filled') room.states.clear();
  else if (fact.type === 'room-purged') forgetEvents(room, place);
}

/** What was told of a room with another create event is not of this one. */
function forgetAll({ stateRevisions, events, known, states }: LiveRoom): void {
  for (const each of [stateRevisions, events, known, states]) each.clear();
}

/** Of what was sent to a room of which nothing is kept no transaction counts, and what is told of it now has rows of its own. */
function forgetEvents(room: LiveRoom, place: FactPlace): void {
  room.graph = undefined;
  room.transactions = new RoomTransactions(place);
  room.snapshotRevision = place.revision;
}

function noteAccepted(room: LiveRoom, { event, header }: AcceptedPdu, place: FactPlace): void {
  for (const { event_id: eventId, replaces } of currentChangeOf(header)?.state ?? []) {
    if (replaces !== undefined) {
      room.stateRevisions.delete(replaces);
      room.events.delete(replaces);
    }
    if (eventId === null) continue;
    // Of one that resolution brought back, too: the fact carries it, or a part of it does.
    room.stateRevisions.set(eventId, header.told_in?.[eventId] ?? place.revision);
    if (eventId === event.eventId) room.events.set(eventId, event);
  }
  if (header.txn !== undefined) room.transactions.note(transactionName(event, header.txn), event.eventId, place);
}

/** A redaction took effect: an event of the state is from now on read from the fact that holds what remains of it. */
function noteRedacted(room: LiveRoom, eventId: EventId, revision: number): void {
  room.events.delete(eventId);
  if (room.stateRevisions.has(eventId)) room.stateRevisions.set(eventId, revision);
}
