import { foldRoomAlias, type RoomAlias, type RoomId, type UserId } from '#kernel/ids';
import type { Views } from '#projections/views';

/** A row of `aliases`: [alias, folded]. */
export interface AliasRow {
  readonly room_id: RoomId;
  readonly creator: UserId;
}

/** Where an alias of this server points, in whatever case it is spelled; undefined where it is unknown. */
export async function findAlias(views: Views, alias: RoomAlias): Promise<AliasRow | undefined> {
  const text = await views.get('aliases', [foldRoomAlias(alias)]);
  return text === undefined ? undefined : (JSON.parse(text) as AliasRow);
}
