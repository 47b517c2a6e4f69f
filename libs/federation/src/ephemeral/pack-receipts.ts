import type { SetReceipt } from '#ephemeral/commands/receipts';
import type { JsonObject } from '#kernel/json';

/** So many receipts come into one EDU. */
const MOST = 200;

/** By rooms and users: what the content of an EDU holds. */
type Content = Map<string, Map<string, JsonObject>>;

/**
 * The contents of `m.receipt` EDUs that tell of receipts: server-server API, "Receipts". One of a user in a room is told by each, so their
 * receipts of several threads come into several.
 */
export function packReceipts(receipts: readonly SetReceipt[]): JsonObject[] {
  const contents: { readonly rooms: Content; count: number }[] = [];
  for (const { room_id: roomId, userId, event_id: eventId, thread_id: thread, ts } of receipts) {
    let content = contents.find(({ rooms, count }) => count < MOST && rooms.get(roomId)?.has(userId) !== true);
    if (content === undefined) contents.push((content = { rooms: new Map(), count: 0 }));
    const users = content.rooms.get(roomId) ?? new Map<string, JsonObject>();
    content.rooms.set(roomId, users);
    content.count++;
    users.set(userId, { event_ids: [eventId], data: thread === undefined ? { ts } : { ts, thread_id: thread } });
  }
  return contents.map(({ rooms }) =>
    Object.fromEntries([...rooms].map(([roomId, users]) => [roomId, { 'm.read': Object.fromEntries(users) }])),
  );
}
