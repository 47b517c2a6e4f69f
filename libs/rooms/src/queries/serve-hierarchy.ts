import type { RoomId, ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import { ROOM_COUNTS } from '../projections/membership.projector.js';
import { ROOMS } from '../projections/room-summary.projector.js';
import { mayServerKnowOf } from '../reading/may-know-of.js';
import { isServerIn } from '../reading/server-standing.js';
import { describeRoom, hierarchyRoomText, type RoomDescription } from './describe-room.js';
import { listSpaceChildren } from './list-space-children.js';

/**
 * A space and the rooms in it, as another server is told of them, JSON text: server-server API, `GET /hierarchy/{roomId}`. Rooms that
 * nobody here is in are left out; those that the server may not know of are named and nothing else. Throws M_NOT_FOUND where
 * the space is one of either.
 */
export async function serveHierarchy(
  views: Views,
  roomId: RoomId,
  server: ServerName,
  { suggestedOnly, ours }: { readonly suggestedOnly: boolean; readonly ours: ServerName },
): Promise<string> {
  const space = await findRoom(views, roomId, server, ours);
  if (space === undefined || space === 'closed') throw new MatrixError('M_NOT_FOUND', 'Unknown room');
  const all = space.room_type === 'm.space' ? await listSpaceChildren(views, roomId) : [];
  const children = suggestedOnly ? all.filter(({ isSuggested }) => isSuggested) : all;
  const open: string[] = [];
  const closed: RoomId[] = [];
  const turn = new Turn(1);
  for (const child of children) {
    if (turn.isOver()) await turn.pass();
    const room = await findRoom(views, child.roomId, server, ours);
    if (room === 'closed') closed.push(child.roomId);
    else if (room !== undefined) open.push(JSON.stringify(room));
  }
  const text = hierarchyRoomText(space, children);
  return `{"room":${text},"children":[${open.join()}],"inaccessible_children":${JSON.stringify(closed)}}`;
}

async function findRoom(
  views: Views,
  roomId: RoomId,
  server: ServerName,
  ours: ServerName,
): Promise<RoomDescription | 'closed' | undefined> {
  const summary = await ROOMS.get(views, [roomId]);
  if (summary === undefined || !(await isServerIn(views, roomId, ours))) return undefined;
  if (!(await mayServerKnowOf(views, roomId, summary, server))) return 'closed';
  return describeRoom(roomId, summary, (await ROOM_COUNTS.get(views, [roomId]))?.joined ?? 0);
}
