import { RECEIPTS } from '#ephemeral/projections/receipts.projector';
import type { RoomId, UserId } from '#kernel/ids';
import { laterOf, type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { findPlaces } from '#rooms/reading/event-rows';

/** The name of what is in no thread, in receipts and in counts. */
export const MAIN = 'main';

/** Up to where a user has read each thread. `all` is the receipt that covers the whole room. */
export interface ReadUpTo {
  readonly all: Position;
  readonly threads: ReadonlyMap<string, Position>;
}

/** Up to where a user has read a room, by their receipts: client-server API, "Marking notifications as read". */
export async function readReadUpTo(views: Views, roomId: RoomId, userId: UserId): Promise<ReadUpTo> {
  let all = START;
  const threads = new Map<string, Position>();
  for await (const rows of RECEIPTS.pages(views, { prefix: [roomId, userId] })) {
    const read = rows.map(({ value }) => value.event_id);
    const places = await findPlaces(views, roomId, read);
    for (const [i, { key }] of rows.entries()) {
      const place = places[i];
      // What was fetched from the past is read: it never was unread.
      if (place === undefined || place.isHistory) continue;
      const { position } = place;
      const thread = key[3];
      // Of a public and a private receipt the one further ahead counts.
      if (thread === '') all = laterOf(position, all);
      else advance(threads, thread, position);
    }
  }
  return { all, threads };
}

/** Whether a user has said after a position, and up to another, that they have read something of a room: that changes what is unread of it. */
export async function hasReadSince(
  views: Views,
  roomId: RoomId,
  userId: UserId,
  { after, upTo }: { readonly after: Position; readonly upTo: Position },
): Promise<boolean> {
  for await (const rows of RECEIPTS.pages(views, { prefix: [roomId, userId] }))
    if (rows.some(({ value }) => value.pos > after && value.pos <= upTo)) return true;
  return false;
}

/** Moves a place of a thread forward; never back. */
export function advance(threads: Map<string, Position>, thread: string, position: Position): void {
  if (position > (threads.get(thread) ?? START)) threads.set(thread, position);
}
