import type { Pdu } from '#protocol/room-event';
import { dropAltered, isWholeAtLast } from './altered-copy.js';
import { refuseByAuthEvents } from './4-check-auth-events.js';
import { findWaitingRedactions } from './find-due-redactions.js';
import { dropOtherCreate, findMissingAuth } from './judge-pdu.js';
import type { KnownRoom } from './known-room.js';
import { withOtherRooms } from './of-other-rooms.js';
import type { AlreadyKnown, Dropped, MissingEvents, PreparedPdu, StoredOutlier } from './outcome.js';

/**
 * Checks an event whose place in the graph is not known (part of an auth chain, or of a state that another server tells) by
 * its own auth events: step 4 alone. One that they do not allow is stored as rejected, so that what rests on it is too. An altered
 * copy is stored, for states are full of events that were redacted; the whole event takes its place where it comes. `ofOtherRooms`: as of
 * `Arrival`.
 */
export async function judgeOutlier(
  pdu: PreparedPdu,
  room: KnownRoom,
  ofOtherRooms: readonly Pdu[] = [],
): Promise<StoredOutlier | Dropped | AlreadyKnown | MissingEvents> {
  const { event, pduText, origin, isAltered } = pdu;
  const { eventId } = event;
  const found = await room.find([...new Set([eventId, ...event.authEvents])]);
  const known = withOtherRooms(found, event, ofOtherRooms, room);
  const here = known.get(eventId);
  if (here !== undefined && !isWholeAtLast(pdu, here, room)) return { kind: 'known', eventId, outcome: here.outcome };
  const foreign = dropOtherCreate(event, room);
  if (foreign !== undefined) return foreign;
  const authEvents = findMissingAuth(event, known, room);
  if (authEvents.length > 0) return { kind: 'missing', eventId, authEvents, parents: [], beside: [] };
  const reason = refuseByAuthEvents(event, known, room);
  if (reason !== undefined && isAltered === true) return dropAltered(pdu, reason);
  const header = {
    event_id: eventId,
    room_version: room.version.id,
    origin,
    ...(reason === undefined ? {} : { reason }),
  };
  return { kind: 'outlier', event, pduText, header, redactions: await findWaitingRedactions(event, room) };
}
