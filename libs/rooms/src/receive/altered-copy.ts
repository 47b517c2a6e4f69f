import { serverNameOf } from '#kernel/ids';
import { openEvent } from '#protocol/signing/open-event';
import { findWaitingRedactions } from './find-due-redactions.js';
import type { KnownEvent, KnownRoom } from './known-room.js';
import type { Dropped, PreparedPdu } from './outcome.js';

/*
 * A copy whose content hash does not hold is "assumed" to be the redacted one (server-server API, "Validating hashes and signatures on
 * received events"). Whoever passes an event on can make such a copy of it, under the same id, and what was judged is judged for good:
 * so it must not stand in the way of the whole event where there is one to be had.
 */

/**
 * Whether an event is what is left of it here: it came whole; or a redaction that is here took effect on it, or the server of its sender
 * says so, who knows best, or nobody who was asked has more (`takesAltered`).
 */
export async function isAllThereIs(pdu: PreparedPdu, takesAltered: boolean, room: KnownRoom): Promise<boolean> {
  const { event, origin, isAltered } = pdu;
  if (isAltered !== true || takesAltered || origin === serverNameOf(event.sender)) return true;
  return (await findWaitingRedactions(event, room)).length > 0;
}

/** Nothing is kept of an altered copy: neither in the place of the whole event, nor of one that only what is missing might allow. */
export function dropAltered({ event: { eventId } }: PreparedPdu, refusal?: string): Dropped {
  const reason = refusal ?? 'The content is not the one that was signed';
  return { kind: 'dropped', reason, wantedKeys: [], wantedWhole: eventId };
}

/** Whether an event came whole that is here as an outlier, and in an altered copy. What a redaction took away does not come back. */
export function isWholeAtLast({ isAltered }: PreparedPdu, known: KnownEvent, { version }: KnownRoom): boolean {
  if (isAltered === true || known.outcome !== 'outlier' || known.isRedacted === true) return false;
  return !openEvent(known.event.pdu, version).hasContentHash;
}
