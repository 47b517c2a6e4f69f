import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import type { OwnRows } from '#projections/projector';
import { referencedIds } from '../facts/pdu-fields.js';
import { type PduWithState, roomIdOfStream } from '../facts/room-facts.js';
import { eventKeyPart } from './event-place.js';
import { BEHIND_REFUSED } from './timeline-collections.js';

/** How much is noted as missing before an event whose own parents are here: as many as an event may name. */
const MOST = 20;

/**
 * What may be missing just before an event: its parents, where another server told the state before it; else what is missing behind those of
 * them that were refused. Nobody is shown these, so that no page would end at them.
 */
export async function findMissingBefore(
  roomId: RoomId,
  { base, pdu }: Pick<PduWithState, 'base' | 'pdu'>,
  rows: OwnRows,
): Promise<readonly EventId[]> {
  const parents = referencedIds(pdu['prev_events']);
  // Where one of them is refused later, this fact must not say something else when it is applied again.
  if (typeof base === 'object') return parents;
  const missing = new Set<EventId>();
  for (const parent of parents) {
    const behind = await BEHIND_REFUSED.get(rows, [roomId, eventKeyPart(parent)]);
    for (const eventId of behind ?? []) missing.add(eventId);
  }
  return [...missing].slice(0, MOST);
}

/**
 * Notes of an event that was soft-failed or rejected that it is no more missing, and what may be missing behind it: what is accepted may
 * stand on it.
 */
export async function noteRefused(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const data = JSON.parse(fact.data) as PduWithState; // what the worker appended under these types has this shape
  const roomId = roomIdOfStream(fact.stream);
  const missing = await findMissingBefore(roomId, data, rows);
  BEHIND_REFUSED.put(rows, [roomId, eventKeyPart(data.event_id)], missing);
}
