import type { EventStore } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { pduTextOf } from '../facts/fact-text.js';
import { RoomGraph } from '../graph/room-graph.js';
import { readRevisions } from '../worker/read-revisions.js';

/** Where the events of rooms are read from as they were signed: which fact holds one is in the views, the event in the log. */
export interface PduSources {
  readonly views: Pick<Views, 'get' | 'scan'>;
  readonly store: Pick<EventStore, 'readStream'>;
}

/**
 * Events of a room as other servers are told them, by their ids: the text as signed, of a redacted one what remains. Without those
 * that the room does not have, and those that the rules refuse. Who may be told them is for the caller to know.
 */
export async function readPdus(
  { views, store }: PduSources,
  roomId: RoomId,
  eventIds: readonly EventId[],
): Promise<ReadonlyMap<EventId, string>> {
  const graph = new RoomGraph(views, roomId);
  const places = await Promise.all(
    eventIds.map(async (eventId) => {
      const [event, redacted] = await Promise.all([graph.findEvent(eventId), graph.findRedacted(eventId)]);
      const isRefused = event === undefined || event.outcome === 'rejected' || event.outcome === 'rejected-outlier';
      return isRefused ? undefined : { eventId, revision: redacted ?? event.revision };
    }),
  );
  const known = places.filter((place) => place !== undefined);
  const revisions = known.map(({ revision }) => revision);
  const facts = await readRevisions(store, roomId, revisions);
  return new Map(known.map(({ eventId, revision }) => [eventId, pduTextOf(facts.get(revision)!.data)]));
}
