import { refuseByAuthEvents } from './4-check-auth-events.js';
import { findWaitingRedactions } from './find-due-redactions.js';
import { dropOtherCreate, findMissingAuth } from './judge-pdu.js';
import type { KnownRoom } from './known-room.js';
import type { AlreadyKnown, Dropped, MissingEvents, PreparedPdu, StoredOutlier } from './outcome.js';

/**
 * Checks an event whose place in the graph is not known (part of an auth chain, or of a state that another server tells) by
 * its own auth events: step 4 alone. One that they do not allow is stored as rejected, so that what rests on it is too.
 */
export async function judgeOutlier(
  { event, pduText, origin }: PreparedPdu,
  room: KnownRoom,
): Promise<StoredOutlier | Dropped | AlreadyKnown | MissingEvents> {
  const { eventId } = event;
  const known = await room.find([...new Set([eventId, ...event.authEvents])]);
  const outcome = known.get(eventId)?.outcome;
  if (outcome !== undefined) return { kind: 'known', eventId, outcome };
  const foreign = dropOtherCreate(event, room);
  if (foreign !== undefined) return foreign;
  const authEvents = findMissingAuth(event, known, room);
  if (authEvents.length > 0) return { kind: 'missing', eventId, authEvents, parents: [] };
  const reason = refuseByAuthEvents(event, known, room);
  const header = {
    event_id: eventId,
    room_version: room.version.id,
    origin,
    ...(reason === undefined ? {} : { reason }),
  };
  return { kind: 'outlier', event, pduText, header, redactions: await findWaitingRedactions(event, room) };
}
