import type { RoomId, ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { Turn } from '#projections/turn';
import type { ServerAcls } from '#rooms/queries/server-acls';

/** Of one EDU so many rooms are looked at, each of which is a row to be read. */
const MOST_ROOMS = 1_000;

/**
 * The content of an EDU with what is local to a room only of rooms whose access list lets the server speak; undefined where nothing is
 * left (typing notifications, receipts: MSC4163). `refuse` is told of each other room.
 */
export async function filterEdu(
  acls: Pick<ServerAcls, 'isLetIn'>,
  origin: ServerName,
  { type, content }: { readonly type: string; readonly content: JsonObject },
  refuse: (roomId: string) => void,
): Promise<JsonObject | undefined> {
  const isLetIn = async (roomId: string): Promise<boolean> => {
    const isAllowed = await acls.isLetIn(roomId as RoomId, origin);
    if (!isAllowed) refuse(roomId);
    return isAllowed;
  };
  if (type === 'm.typing') {
    const roomId = content['room_id'];
    return typeof roomId === 'string' && (await isLetIn(roomId)) ? content : undefined;
  }
  if (type !== 'm.receipt') return content;
  const left: [string, JsonObject][] = [];
  const turn = new Turn(1);
  for (const [roomId, receipts] of Object.entries(content).slice(0, MOST_ROOMS)) {
    if (turn.isOver()) await turn.pass();
    if (isJsonObject(receipts) && (await isLetIn(roomId))) left.push([roomId, receipts]);
  }
  return left.length === 0 ? undefined : Object.fromEntries(left);
}
