import { asksForErasure } from '#accounts/facts/erasable-parts';
import type { RecordedFact } from '#event-store/event-store';
import { foldRoomAlias, type RoomAlias, type RoomId, type UserId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';
import { asJson, asMark, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { type RoomListed, roomIdOfStream } from '#rooms/facts/room-facts';
import { purgeByRoom } from '#rooms/projections/purged-rows';
import type { AliasCreated, AliasDeleted } from '../facts/alias-facts.js';

/** Where an alias points. */
export interface AliasRow {
  readonly room_id: RoomId;
  /** Left out: the account is closed, and what was its has gone. */
  readonly creator?: UserId;
}

export const ALIASES = new Collection<readonly [alias: string], AliasRow>('aliases', {
  key: ['alias, folded'],
  says: 'room and creator',
  codec: asJson(),
});

export const USER_ALIASES = new Collection<readonly [userId: UserId, alias: string], true>('user-aliases', {
  key: ['user', 'alias, folded'],
  says: 'that the user gave it to a room',
  codec: asMark,
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

const HANDLED: ReadonlySet<string> = new Set([
  'account-deactivated',
  'alias-created',
  'alias-deleted',
  'room-listed',
  'room-purged',
]);

/** Where aliases point, from each side, and who gave them; the rooms listed in the directory. */
export function directoryProjector(): Projector {
  return {
    name: 'directory',
    version: 4,
    ...owning(ALIASES, USER_ALIASES, ROOM_ALIASES, PUBLIC_ROOMS),
    handles: (type) => HANDLED.has(type),
    project(fact, rows) {
      if (fact.type === 'room-purged') return purgeByRoom(fact, rows, [PUBLIC_ROOMS]);
      if (fact.type === 'account-deactivated') return asksForErasure(fact) ? disown(fact, rows) : undefined;
      if (fact.type === 'alias-created') {
        const { alias, room_id, creator } = JSON.parse(fact.data) as AliasCreated;
        ALIASES.put(rows, [foldRoomAlias(alias)], { room_id, creator });
        USER_ALIASES.put(rows, [creator, foldRoomAlias(alias)], true);
        ROOM_ALIASES.put(rows, [room_id, foldRoomAlias(alias)], alias);
      } else if (fact.type === 'alias-deleted') {
        return forget(JSON.parse(fact.data) as AliasDeleted, rows);
      } else {
        const roomId = roomIdOfStream(fact.stream);
        if ((JSON.parse(fact.data) as RoomListed).listed) PUBLIC_ROOMS.put(rows, [roomId], true);
        else PUBLIC_ROOMS.delete(rows, [roomId]);
      }
      return undefined;
    },
  };
}

async function forget({ alias, room_id }: AliasDeleted, rows: OwnRows): Promise<void> {
  const key = foldRoomAlias(alias);
  const { creator } = (await ALIASES.get(rows, [key])) ?? {};
  ALIASES.delete(rows, [key]);
  if (creator !== undefined) USER_ALIASES.delete(rows, [creator, key]);
  ROOM_ALIASES.delete(rows, [room_id, key]);
}

/** The aliases of a user who was erased lead others where they led, and are nobody's. */
async function disown({ stream }: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(stream);
  const own: string[] = [];
  for await (const page of USER_ALIASES.pages(rows, { prefix: [userId] })) own.push(...page.map(({ key }) => key[1]));
  for (const alias of own) {
    const row = await ALIASES.get(rows, [alias]);
    if (row !== undefined) ALIASES.put(rows, [alias], { room_id: row.room_id });
    USER_ALIASES.delete(rows, [userId, alias]);
  }
}
