import { expectTrue } from './assert.js';
import type { Look } from './look.js';
import type { ModelEvent } from './room-model.js';

interface Told {
  readonly unread_notifications?: { readonly highlight_count: number; readonly notification_count: number };
}

/**
 * The unread count of a room: exactly what counts depends on rules of push and on threads, so it is held between the messages
 * that count in any case and those that may count at all.
 */
export function checkUnread({ reader }: Look, what: string, { unread_notifications: told }: Told): void {
  const { room, world, userId } = reader;
  const receipts = [...(world.receipts.get(room.roomId)?.values() ?? [])].filter(
    (receipt) => receipt.userId === userId,
  );
  const read = Math.max(-1, ...receipts.map(({ eventId }) => room.find(eventId)!.index));
  const spoke = Math.max(-1, ...room.events.filter(({ sender }) => sender === userId).map(({ index }) => index));
  const may = room.events.filter((event) => event.index > read && mayCount(event));
  const must = may.filter(
    (event) =>
      event.index > spoke &&
      room.membershipAfter(userId, event.index) === 'join' &&
      event.content['m.relates_to'] === undefined &&
      event.type === 'm.room.message' &&
      !world.erased.has(event.sender),
  );
  const count = told?.notification_count ?? -1;
  expectTrue(
    () => `${what}: ${count} unread, should be from ${must.length} to ${may.length}`,
    count >= must.length && count <= may.length,
  );
  expectTrue(() => `${what}: more highlights than notifications`, (told?.highlight_count ?? 0) <= count);

  function mayCount(event: ModelEvent): boolean {
    if (event.sender === userId || room.isRedacted(event) || reader.maySee(event) !== 'yes') return false;
    return event.type === 'm.room.message' || reader.isInvitation(event);
  }
}
