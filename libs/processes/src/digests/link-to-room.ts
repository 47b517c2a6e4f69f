import type { Config } from '#config/config';
import type { EventId, RoomId } from '#kernel/ids';

/** Where a room is opened, at an event of it: in the client that the operator names, or else by matrix.to (appendices, "matrix.to navigation"), which asks for one. */
export function linkToRoom(
  { digests: { clientUrl }, serverName }: Pick<Config, 'digests' | 'serverName'>,
  roomId: RoomId,
  eventId: EventId | undefined,
): string {
  const path = [roomId, ...(eventId === undefined ? [] : [eventId])].map(encodeURIComponent).join('/');
  if (clientUrl !== undefined) return `${clientUrl}/#/room/${path}`;
  return `https://matrix.to/#/${path}?via=${encodeURIComponent(serverName)}`;
}
