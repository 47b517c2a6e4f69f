import { foldRoomAlias, type RoomAlias, type RoomId, type UserId } from '#kernel/ids';
import { asJson, asMark, asText, Collection, owning } from '#projections/collection';
import type { Projector } from '#projections/projector';
import { type RoomListed, roomIdOfStream } from '#rooms/facts/room-facts';
import { purgeByRoom } from '#rooms/projections/purged-rows';
import type { AliasCreated, AliasDeleted } from '../facts/alias-facts.js';

/** Where an alias points. */
export interface AliasRow {
  readonly room_id: RoomId;
  readonly creator: UserId;
}

export const ALIASES = new Collection<readonly [alias: string], AliasRow>('aliases', {
  key: ['alias, folded'],
  says: 'room and creator',
  codec: asJson(),
});

export const ROOM_ALIASES = new Collection<readonly [roomId: RoomId, alias: string], RoomAlias>('room-aliases', {
  key: ['room', 'alias, folded'],
  says: 'the alias as it was spelled',
  codec: asText(),
});

export const PUBLIC_ROOMS = new Collection<readonly [roomId: RoomId], true>('public-rooms', {
  key: ['room'],
  says: 'that the room is in the public list',
  codec: asMark,
});

const HANDLED: ReadonlySet<string> = new Set(['alias-created', 'alias-deleted', 'room-listed', 'room-purged']);

/** Where aliases point, from each side; the rooms listed in the directory. */
export function directoryProjector(): Projector {
  return {
    name: 'directory',
    version: 3,
    ...owning(ALIASES, ROOM_ALIASES, PUBLIC_ROOMS),
    handles: (type) => HANDLED.has(type),
    project(fact, rows) {
      if (fact.type === 'room-purged') return purgeByRoom(fact, rows, [PUBLIC_ROOMS]);
      if (fact.type === 'alias-created') {
        const { alias, room_id, creator } = JSON.parse(fact.data) as AliasCreated;
        ALIASES.put(rows, [foldRoomAlias(alias)], { room_id, creator });
        ROOM_ALIASES.put(rows, [room_id, foldRoomAlias(alias)], alias);
      } else if (fact.type === 'alias-deleted') {
        const { alias, room_id } = JSON.parse(fact.data) as AliasDeleted;
        ALIASES.delete(rows, [foldRoomAlias(alias)]);
        ROOM_ALIASES.delete(rows, [room_id, foldRoomAlias(alias)]);
      } else {
        const roomId = roomIdOfStream(fact.stream);
        if ((JSON.parse(fact.data) as RoomListed).listed) PUBLIC_ROOMS.put(rows, [roomId], true);
        else PUBLIC_ROOMS.delete(rows, [roomId]);
      }
      return undefined;
    },
  };
}
