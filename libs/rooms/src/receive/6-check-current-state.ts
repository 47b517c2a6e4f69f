import type { EventId } from '#kernel/ids';
import type { Refusal } from '#protocol/event-auth/refusal';
import type { RoomEvent } from '#protocol/room-event';
import { refuseByState, type StateBefore } from './5-check-state-before.js';
import type { KnownEvent, KnownRoom } from './known-room.js';
import { resolveStates } from './resolve-states.js';

/**
 * Step 6: why the room's state of now does not allow an event that the state before it allowed; undefined where it does.
 * Server-server API, "Soft failure".
 *
 * NOTSPEC: after a gap this server's idea of now may be old, but gaps are easy to make up: there, what is here and what was
 * told are resolved together, as all servers in use do.
 */
export async function refuseByCurrentState(
  event: RoomEvent,
  before: StateBefore,
  known: ReadonlyMap<EventId, KnownEvent>,
  room: KnownRoom,
): Promise<Refusal> {
  // Before the first event there is no state that could forbid it.
  if (room.extremities.length === 0 || room.state.rootHash === before.state.rootHash) return undefined;
  const now = before.isLearnt ? await resolveStates([room.state, before.state], room) : room.state;
  return refuseByState(event, now, known, room);
}
