import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { redactionTargetOf } from '../facts/pdu-fields.js';
import type { PduAccepted } from '../facts/room-facts.js';

/**
 * Whether an event is a redaction that was accepted without taking effect, by the rules since version 3. One of ours that names nothing,
 * which is an event like others, waits for nothing.
 */
export function hasToWait({ origin, takes_effect: takesEffect, pdu, room_version: version }: PduAccepted): boolean {
  if (pdu['type'] !== 'm.room.redaction' || pdu['state_key'] !== undefined || takesEffect === true) return false;
  if (findRoomVersion(version)?.redactionAuthRule !== false) return false;
  return origin !== undefined || redactionTargetOf(pdu, version) !== undefined;
}
