import { ForkedRoom, OTHER_SERVER } from './forked-room.js';
import { LocalRoom } from './local-room.js';
import { MemoryEventStore } from './memory-event-store.js';
import { RoomViews } from './room-views.js';

/** A user of another server. */
export const CAROL = OTHER_SERVER.user('carol');

/** A room of this server and how it looks, with what its users and those of another one do there. */
export interface RoomWithCarol {
  readonly log: MemoryEventStore;
  readonly views: RoomViews;
  readonly room: LocalRoom;
  readonly others: ForkedRoom;
}

/** A room of Alice that anybody may join, as Carol has. */
export async function roomWithCarol(): Promise<RoomWithCarol> {
  const log = new MemoryEventStore();
  const views = new RoomViews(log);
  const room = await LocalRoom.begin(log);
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  const others = new ForkedRoom(log, room);
  await others.join(CAROL);
  return { log, views, room, others };
}
