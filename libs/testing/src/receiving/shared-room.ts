import type { RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { ServerKeys } from '#rooms/server-keys';
import { TEST_AUTHOR } from '../local-room.js';
import { MemoryEventStore } from '../memory-event-store.js';
import { RoomCommands } from '../room-commands.js';
import { RoomViews } from '../room-views.js';
import type { ForeignServer } from './foreign-server.js';
import { RoomElsewhere } from './room-elsewhere.js';

export interface SharedRoom {
  readonly home: RoomCommands;
  readonly roomId: RoomId;
  /** The room as the other server has it. */
  readonly there: RoomElsewhere;
}

/** A server of ours with a room, and another server that knows the room, and of which nobody is in it yet. */
export async function openSharedRoom(
  other: ForeignServer,
  keys: ServerKeys,
  { version = '11', log = new MemoryEventStore() }: { readonly version?: string; readonly log?: MemoryEventStore } = {},
): Promise<SharedRoom> {
  const home = new RoomCommands(new RoomViews(log), TEST_AUTHOR, keys);
  const roomId = await home.open({ room_version: version });
  const there = new RoomElsewhere(roomId, findRoomVersion(version)!, keys, other);
  await there.hear(home);
  return { home, roomId, there };
}
