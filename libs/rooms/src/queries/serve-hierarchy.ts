import type { RoomId, ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Turn } from '#projections/turn';
import { ROOM_COUNTS } from '../projections/membership.projector.js';
import { ROOMS } from '../projections/room-summary.projector.js';
import { mayServerKnowOf } from '../reading/may-know-of.js';
import type { OpenBy } from '../reading/server-reader.js';
import { isServerIn } from '../reading/server-standing.js';
import { describeRoom, hierarchyRoomText, type RoomDescription } from './describe-room.js';
import { listSpaceChildren } from './list-space-children.js';

/**
 * A space and the rooms in it, as another server is told of them, JSON text: server-server API, `GET /hierarchy/{roomId}`. Rooms that
 * nobody here is in are left out; those that the server may not know of are named and nothing else. Throws M_NOT_FOUND where
 * the space is one of either.
 */
export async function serveHierarchy(
  sources: OpenBy,
  roomId: RoomId,
  server: ServerName,
  { suggestedOnly, ours }: { readonly suggestedOnly: boolean; readonly ours: ServerName },
): Promise<string> {
  const space = await findRoom(sources, roomId, server, ours);
  if (space === undefined || space === 'closed') throw new MatrixError('M_NOT_FOUND', 'Unknown room');
  const all = space.room_type === 'm.space' ? await listSpaceChildren(sources.views, roomId) : [];
  const children = suggestedOnly ? all.filter(({ isSuggested }) => isSuggested) : all;
  const open: string[] = [];
  const closed: RoomId[] = [];
  const turn = new Turn(1);
  for (const child of children) {
    if (turn.isOver()) await turn.pass();
    const room = await findRoom(sources, child.roomId, server, ours);
    if (room === 'closed') closed.push(child.roomId);
    else if (room !== undefined) open.push(JSON.stringify(room));
  }
  const text = hierarchyRoomText(space, children);
  return `{"room":${text},"children":[${open.join()}],"inaccessible_children":${JSON.stringify(closed)}}`;
}

async function findRoom(
  sources: OpenBy,
  roomId: RoomId,
  server: ServerName,
  ours: ServerName,
): Promise<RoomDescription | 'closed' | undefined> {
  const { views } = sources;
  const summary = await ROOMS.get(views, [roomId]);
  if (summary === undefined || !(await isServerIn(views, roomId, ours))) return undefined;
  if (!(await mayServerKnowOf(sources, roomId, summary, server))) return 'closed';
  return describeRoom(roomId, summary, (await ROOM_COUNTS.get(views, [roomId]))?.joined ?? 0);
}
