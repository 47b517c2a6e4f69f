import { type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import type { Views } from '#projections/views';
import { ROOM_MEMBERS } from '../projections/membership.projector.js';

/** The servers that have somebody in a room now, each once, in no order. Whoever needs few of them stops early. */
export async function* serversIn(views: Pick<Views, 'scan'>, roomId: RoomId): AsyncGenerator<ServerName, void> {
  const seen = new Set<ServerName>();
  for await (const page of ROOM_MEMBERS.pages(views, { prefix: [roomId, 'join'] })) {
    for (const {
      key: [, , userId],
    } of page) {
      const server = serverNameOf(userId);
      if (seen.has(server)) continue;
      seen.add(server);
      yield server;
    }
  }
}

/** Whether a server has somebody in a room now. */
export async function isServerIn(views: Pick<Views, 'scan'>, roomId: RoomId, server: ServerName): Promise<boolean> {
  for await (const one of serversIn(views, roomId)) if (one === server) return true;
  return false;
}
