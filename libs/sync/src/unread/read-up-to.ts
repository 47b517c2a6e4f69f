import type { ReceiptRow } from '#ephemeral/projections/receipts.projector';
import type { RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { scanPages } from '#projections/scan-pages';
import type { Views } from '#projections/views';
import type { EventPlace } from '#rooms/projections/timeline.projector';

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
  for await (const rows of scanPages(views, 'receipts', { prefix: [roomId, userId] })) {
    const places = await views.getMany(
      'events',
      rows.map(({ value }) => [(JSON.parse(value) as ReceiptRow).event_id]),
    );
    for (const [i, { key }] of rows.entries()) {
      const text = places[i];
      if (text === undefined) continue;
      const [, position] = JSON.parse(text) as EventPlace;
      const thread = key[3]!;
      // Of a public and a private receipt the one further ahead counts.
      if (thread === '') all = position > all ? position : all;
      else advance(threads, thread, position);
    }
  }
  return { all, threads };
}

/** Moves a place of a thread forward; never back. */
export function advance(threads: Map<string, Position>, thread: string, position: Position): void {
  if (position > (threads.get(thread) ?? START)) threads.set(thread, position);
}
