import type { RecordedFact } from '#event-store/event-store';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { pduTextOf } from '../facts/fact-text.js';

/** The room version that a fact names. Throws an Error where there is none of that name. */
export function versionOf(id: string): RoomVersion {
  const version = findRoomVersion(id);
  if (version === undefined) throw new Error(`there is no room version ${id}`);
  return version;
}

/** The PDU of a fact. Throws an Error where it is no object. */
export function pduOf(fact: RecordedFact, version: RoomVersion): JsonObject {
  const pdu = parseJson(pduTextOf(fact.data), { lenient: !version.strictCanonicalJson });
  if (!isJsonObject(pdu)) throw new Error('the PDU is no object');
  return pdu;
}
