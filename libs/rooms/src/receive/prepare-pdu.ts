import type { RoomId, ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { checkFormat, type WellFormed } from './1-check-format.js';
import { findSignatureFault } from './2-check-signatures.js';
import { keepHashed } from './3-check-hash.js';
import type { Dropped, PreparedPdu } from './outcome.js';
import type { ServerKeys } from '../server-keys.js';

/** What preparing a PDU needs: nothing that changes with the room. */
export interface Preparation {
  readonly roomId: RoomId;
  readonly version: RoomVersion;
  /** The server it came from. */
  readonly origin: ServerName;
  readonly keys: ServerKeys;
}

/**
 * Steps 1 to 3 of the checks on receipt of a PDU: all that needs no room, so that none is
 * held meanwhile. Server-server API, "Checks performed on receipt of a PDU". Bad input is an outcome and never thrown.
 */
export async function preparePdu(
  input: Uint8Array | string | Pdu,
  { roomId, version, origin, keys }: Preparation,
): Promise<PreparedPdu | Dropped> {
  let wellFormed: WellFormed;
  try {
    wellFormed = checkFormat(input, version, roomId);
  } catch (error) {
    if (error instanceof MatrixError) return { kind: 'dropped', reason: error.message, wantedKeys: [] };
    throw error;
  }
  const { event, pduText, isAltered } = keepHashed(wellFormed, version);
  const fault = await findSignatureFault({ event, opened: wellFormed.opened }, version, keys);
  if (fault !== undefined) return { kind: 'dropped', ...fault, isUnsigned: true };
  return {
    kind: 'prepared',
    event,
    pduText,
    origin,
    ...(isAltered ? { isAltered } : {}),
  };
}
