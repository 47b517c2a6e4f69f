import { foldRoomAlias, type RoomAlias } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { AliasRow } from '../projections/directory.projector.js';

/** Where an alias of this server points, in whatever case it is spelled; undefined where it is unknown. */
export async function findAlias(views: Views, alias: RoomAlias): Promise<AliasRow | undefined> {
  const text = await views.get('aliases', [foldRoomAlias(alias)]);
  return text === undefined ? undefined : (JSON.parse(text) as AliasRow);
}
