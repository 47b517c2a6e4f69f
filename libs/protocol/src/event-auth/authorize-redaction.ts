import { serverNameOf } from '#kernel/ids';
import type { RoomEvent } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import type { AuthState } from './auth-state.js';
import { levelNeeded, powerLevelOf } from './power-levels.js';
import type { Refusal } from './refusal.js';

/**
 * Why a redaction that is part of its room takes no effect on an event; undefined where it does. `state` is that before the
 * redaction. Room version 3, "Handling redactions"; in versions 1 and 2 the authorisation rules have seen to it (rule 11).
 */
export function refuseRedactionEffect(
  redaction: Pick<RoomEvent, 'type' | 'stateKey' | 'roomId' | 'redacts' | 'sender'>,
  target: RoomEvent,
  state: AuthState,
  version: RoomVersion,
): Refusal {
  const { type, stateKey, roomId, redacts, sender } = redaction;
  if (type !== 'm.room.redaction' || stateKey !== undefined || redacts !== target.eventId)
    return 'It is no redaction of it';
  if (roomId !== target.roomId) return 'The event is of another room';
  // NOTSPEC, as all servers in use do. Before version 11 little of it would remain, and every later event is checked against it.
  if (target.type === 'm.room.create') return 'The create event cannot be redacted';
  if (version.redactionAuthRule || serverNameOf(sender) === serverNameOf(target.sender)) return undefined;
  if (powerLevelOf(sender, state, version) >= levelNeeded('redact', state, version)) return undefined;
  return 'You need the redact power level to redact events of others';
}
