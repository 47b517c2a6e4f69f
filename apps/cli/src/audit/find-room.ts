import { evolveAlias, NO_ALIAS } from '#directory/aliases';
import { aliasStream } from '#directory/facts/alias-facts';
import type { EventStore } from '#event-store/event-store';
import { isRoomAlias, isRoomId, type RoomAlias, type RoomId } from '#kernel/ids';
import { CliFailure, EXIT } from '../failure.js';

/** The room that a room id or an alias names, by the log alone. Throws CliFailure where there is none. */
export async function findRoom(store: EventStore, text: string): Promise<RoomId> {
  if (isRoomId(text)) return text;
  if (!isRoomAlias(text)) throw new CliFailure(`${text}: neither a room id (!…) nor an alias (#…:server)`, EXIT.found);
  const roomId = await findRoomOfAlias(store, text);
  if (roomId === undefined) throw new CliFailure(`${text}: the log has no room under this alias`, EXIT.found);
  return roomId;
}

async function findRoomOfAlias(store: EventStore, alias: RoomAlias): Promise<RoomId | undefined> {
  for await (const fact of store.readStream(aliasStream(alias), { backwards: true, limit: 1 })) {
    return evolveAlias(NO_ALIAS, fact).roomId;
  }
  return undefined;
}
