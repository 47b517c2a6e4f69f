import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { ROOM_ACTIVITY } from '#rooms/projections/room-activity.projector';

/** How many rooms are looked at together. */
const AT_ONCE = 100;

/** Those of some rooms in which something happened since a fact, that one too. */
export async function* roomsActiveSince(
  views: Views,
  rooms: readonly RoomId[],
  since: Position,
): AsyncGenerator<RoomId, void> {
  for (let at = 0; at < rooms.length; at += AT_ONCE) {
    const some = rooms.slice(at, at + AT_ONCE);
    const rows = await ROOM_ACTIVITY.getMany(
      views,
      some.map((roomId) => [roomId]),
    );
    for (const [i, roomId] of some.entries()) if ((rows[i]?.last ?? '') >= since) yield roomId;
  }
}
