import type { ServerName } from '#kernel/ids';
import { isAllowedByAcl } from '#protocol/server-acl';
import type { RoomTurn } from './room-turn.js';

/** Whether the access list of a room lets a server take part, as of the log: server-server API, "Server Access Control Lists (ACLs)". */
export async function isLetInByTurn(turn: Pick<RoomTurn, 'findState'>, server: ServerName): Promise<boolean> {
  const acl = await turn.findState('m.room.server_acl');
  return acl === undefined || isAllowedByAcl(acl.content, server);
}
