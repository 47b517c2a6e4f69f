import type { RoomAlias, RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';

/** A row of `aliases`: [alias]. */
export interface AliasRow {
  readonly room_id: RoomId;
  readonly creator: UserId;
}

/** Where an alias of this server points; undefined where it is unknown. */
export async function findAlias(views: Views, alias: RoomAlias): Promise<AliasRow | undefined> {
  const text = await views.get('aliases', [alias]);
  return text === undefined ? undefined : (JSON.parse(text) as AliasRow);
}
