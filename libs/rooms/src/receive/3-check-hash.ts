import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseRoomEvent } from '#protocol/parse-room-event';
import { redact } from '#protocol/redaction/redact';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { WellFormed } from './1-check-format.js';

/** An event as it goes on, and its canonical JSON. */
export interface HashedEvent {
  readonly event: RoomEvent;
  readonly pduText: string;
  /** Its content hash does not hold. */
  readonly isAltered: boolean;
}

/**
 * Step 3: where the content hash does not hold, only the redacted form goes on: that is what was signed. `unsigned` goes in
 * any case: nobody answers for it. Server-server API, "Validating hashes and signatures on received events". What step 2 asks
 * of the event it asks of this form, too: else whoever passes it on could say by what they add to it who need not have signed it.
 */
export function keepHashed({ event, opened }: WellFormed, version: RoomVersion): HashedEvent {
  const { unsigned, ...signed } = event.pdu;
  const isAltered = !opened.hasContentHash;
  if (!isAltered && unsigned === undefined) return { event, pduText: opened.json, isAltered };
  const pdu = isAltered ? redact(signed, version) : signed;
  const pduText = canonicalJson(pdu, { lenient: !version.strictCanonicalJson });
  const { eventId, roomId } = event;
  return { event: parseRoomEvent(pdu, version, roomId, { eventId, json: pduText }), pduText, isAltered };
}
