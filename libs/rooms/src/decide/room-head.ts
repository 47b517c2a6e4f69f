import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { StateTrie } from '#protocol/state-trie/state-trie';
import type { RoomFact } from '../facts/read-room-fact.js';
import { type HistoryVisibility, historyVisibilityOf } from '../facts/room-facts.js';

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
