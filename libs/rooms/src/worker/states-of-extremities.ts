import { type Extremity, headAfter, type RoomHead } from '../decide/room-head.js';
import type { KnownRoom } from '../receive/known-room.js';
import type { Accepted } from '../receive/outcome.js';

/**
 * The head with the states after all its extremities, for who is about to decide upon several: where it was folded from the log, the facts
 * do not tell each of them.
 */
export async function withStatesOfExtremities(head: RoomHead, room: Pick<KnownRoom, 'stateAfter'>): Promise<RoomHead> {
  if (head.extremities.every(({ state }) => state !== undefined)) return head;
  const extremities: Extremity[] = [];
  for (const one of head.extremities) {
    extremities.push({ ...one, state: one.state ?? (await room.stateAfter(one.eventId)) });
  }
  return { ...head, extremities };
}

/** Where a room stands after an event that was judged, with the state after it and the current one: they were computed, and need not be again. */
export function headAfterAccepted(head: RoomHead, { event, header, state, current }: Accepted): RoomHead {
  const after = headAfter(head, { type: 'pdu-accepted', event, header }, current);
  const extremities = after.extremities.map((one) => (one.eventId === event.eventId ? { ...one, state } : one));
  return { ...after, extremities };
}
