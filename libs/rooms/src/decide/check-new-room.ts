import { serverNameOf, type ServerName, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { checkStateContent } from '#protocol/event-auth/check-state-content';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { InitialState } from './new-room-events.js';

/**
 * Refuses a room whose first events the rules could not read, before anything of it is written. Throws M_BAD_JSON,
 * M_INVALID_PARAM, M_INVALID_ROOM_STATE, M_FORBIDDEN.
 */
export function checkNewRoom(
  createEvent: RoomEvent,
  version: RoomVersion,
  events: readonly InitialState[],
  serverName: ServerName,
): void {
  const { roomId } = createEvent;
  checkStateContent(
    { type: createEvent.type, stateKey: '', content: createEvent.content },
    { roomId, version, createEvent },
  );
  for (const { type, state_key: key, content } of events) {
    const stateKey = key ?? '';
    if (type === 'm.room.create') throw new MatrixError('M_INVALID_ROOM_STATE', 'initial_state: a room begins once');
    checkStateContent({ type, stateKey, content }, { roomId, version, createEvent });
    if (type === 'm.room.member') checkFirstMember(stateKey as UserId, content['membership'], createEvent, serverName);
  }
}

/** Nobody but the creator is there yet, and no other server can sign what it is told. */
function checkFirstMember(userId: UserId, membership: unknown, { sender }: RoomEvent, serverName: ServerName): void {
  if (membership === 'invite') checkIsLocal(userId, serverName);
  if (membership === 'leave' && userId !== sender) {
    throw new MatrixError('M_INVALID_ROOM_STATE', `initial_state: ${userId} is not in the room`);
  }
}

/** M_FORBIDDEN for users whose server has to sign the invitation first. */
function checkIsLocal(userId: UserId, serverName: string): void {
  if (serverNameOf(userId) === serverName) return;
  throw new MatrixError('M_FORBIDDEN', `${userId} is of another server: it is invited once the room is there`);
}
