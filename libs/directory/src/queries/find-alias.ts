import { foldRoomAlias, type RoomAlias } from '#kernel/ids';
import type { Views } from '#projections/views';
import { ALIASES, type AliasRow } from '../projections/directory.projector.js';
import { ROOMS } from '#rooms/projections/room-summary.projector';

/**
 * Where an alias of this server points, in whatever case it is spelled; undefined where it is unknown, or was claimed for a room
 * that has not begun.
 */
export async function findAlias(views: Views, alias: RoomAlias): Promise<AliasRow | undefined> {
  const row = await ALIASES.get(views, [foldRoomAlias(alias)]);
  return row !== undefined && (await ROOMS.has(views, [row.room_id])) ? row : undefined;
}
