import { foldRoomAlias, type RoomId, type UserId } from '#kernel/ids';
import type { Projector } from '#projections/projector';
import { type RoomListed, roomIdOfStream } from '#rooms/facts/room-facts';
import type { AliasCreated, AliasDeleted } from '../facts/alias-facts.js';

/** A row of `aliases`: [alias, folded]. */
export interface AliasRow {
  readonly room_id: RoomId;
  readonly creator: UserId;
}

/** `aliases`, `room-aliases`: where aliases point, from each side, by their folded text; `public-rooms`: the rooms listed in the directory. */
export function directoryProjector(): Projector {
  return {
    name: 'directory',
    version: 2,
    collections: ['aliases', 'room-aliases', 'public-rooms'],
    handles: (type) => type === 'alias-created' || type === 'alias-deleted' || type === 'room-listed',
    project(fact, rows) {
      if (fact.type === 'alias-created') {
        const { alias, room_id, creator } = JSON.parse(fact.data) as AliasCreated;
        rows.put('aliases', [foldRoomAlias(alias)], JSON.stringify({ room_id, creator } satisfies AliasRow));
        rows.put('room-aliases', [room_id, foldRoomAlias(alias)], alias);
      } else if (fact.type === 'alias-deleted') {
        const { alias, room_id } = JSON.parse(fact.data) as AliasDeleted;
        rows.delete('aliases', [foldRoomAlias(alias)]);
        rows.delete('room-aliases', [room_id, foldRoomAlias(alias)]);
      } else {
        const roomId = roomIdOfStream(fact.stream);
        if ((JSON.parse(fact.data) as RoomListed).listed) rows.put('public-rooms', [roomId], '');
        else rows.delete('public-rooms', [roomId]);
      }
    },
  };
}
