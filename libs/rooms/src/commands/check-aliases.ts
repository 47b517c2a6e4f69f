import { isRoomAlias, type RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { tellValue } from '#kernel/tell-value';
import type { AliasBook } from '../alias-book.js';

/**
 * Aliases that an m.room.canonical_alias adds to the one before must be well-formed and point to the room: client-server API,
 * `PUT /rooms/{roomId}/state/{eventType}/{stateKey}`. Throws M_INVALID_PARAM, M_BAD_ALIAS.
 */
export async function checkAliases(
  aliases: Pick<AliasBook, 'resolve'>,
  roomId: RoomId,
  before: JsonObject,
  after: JsonObject,
): Promise<void> {
  const known = new Set(aliasesIn(before));
  for (const alias of aliasesIn(after)) {
    if (known.has(alias)) continue;
    if (typeof alias !== 'string' || !isRoomAlias(alias)) {
      throw new MatrixError('M_INVALID_PARAM', `Not a room alias: ${tellValue(alias)}`);
    }
    if ((await aliases.resolve(alias)) !== roomId) {
      throw new MatrixError('M_BAD_ALIAS', `${alias} does not point to this room`);
    }
  }
}

function aliasesIn(content: JsonObject): unknown[] {
  const { alias, alt_aliases: others } = content;
  const listed = Array.isArray(others) ? others : [];
  return [...(alias === undefined || alias === null || alias === '' ? [] : [alias]), ...listed];
}
