import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, Collection } from '#projections/collection';
import type { OwnRows } from '#projections/projector';
import { THREAD } from '#protocol/relation';
import type { ParentRow } from './relations.projector.js';

type AsideKey = readonly [roomId: RoomId, position: Position];
type AsideRow = readonly [root: EventId, sender: UserId];

/**
 * What is in threads by way of what it relates to (an edit, a reaction), in the order of arrival. What was redacted stays: who wrote it has
 * read the thread up to there.
 */
export const THREAD_ASIDES = new Collection<AsideKey, AsideRow>('thread-asides', {
  key: ['room', 'position'],
  says: 'the root of the thread that it is in by way of what it relates to, its sender',
  codec: asJson(),
});

/** "implementations are encouraged to do a maximum of 3 hops to find a thread" (client-server API, "Receiving notifications"). */
export const MAX_HOPS = 3;

/**
 * Puts an event that relates to another there, if that is in a thread as `findThread` finds it. PERF: mostly it relates to what relates to
 * nothing, and one row is looked for.
 */
export async function putAside(
  key: AsideKey,
  { relatesTo, sender }: { readonly relatesTo: EventId; readonly sender: UserId },
  parentOf: (child: EventId) => Promise<ParentRow | undefined>,
  rows: OwnRows,
): Promise<void> {
  let at = relatesTo;
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    const [parent, , relType] = (await parentOf(at)) ?? [];
    if (parent === undefined) return;
    if (relType === THREAD) return THREAD_ASIDES.put(rows, key, [parent, sender]);
    at = parent;
  }
}
