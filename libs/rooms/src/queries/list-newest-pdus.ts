import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { headerTextOf, pduTextOf } from '../facts/fact-text.js';
import { type PduAccepted, roomStream } from '../facts/room-facts.js';
import { RoomGraph } from '../graph/room-graph.js';

/** An event that no other of its room stands on yet. */
export interface NewestPdu {
  readonly eventId: EventId;
  readonly sender: UserId;
  /** As it was signed, or what redactions have left of it. */
  readonly text: string;
}

/**
 * The forward extremities of a room, twenty at most: who has these can ask for all that came before them. Read from the log: no room is
 * taken into memory for it. None where the room is not here.
 */
export async function listNewestPdus(
  store: Pick<EventStore, 'readStream'>,
  views: Pick<Views, 'get' | 'scan'>,
  roomId: RoomId,
): Promise<NewestPdu[]> {
  const told = await findLastTold(store, roomId);
  if (told === undefined) return [];
  const { last, header } = told;
  const graph = new RoomGraph(views, roomId);
  const found: NewestPdu[] = [];
  for (const eventId of header.extremities ?? [header.event_id]) {
    const fact = eventId === header.event_id ? last : await findFact(store, graph, eventId);
    if (fact === undefined) continue;
    const text = pduTextOf(fact.data);
    const { sender } = JSON.parse(text) as { readonly sender: UserId };
    found.push({ eventId, sender, text });
  }
  return found;
}

interface LastTold {
  readonly last: RecordedFact;
  readonly header: Omit<PduAccepted, 'pdu'>;
}

/** The last fact that says what the extremities are, or is one. */
async function findLastTold(store: Pick<EventStore, 'readStream'>, roomId: RoomId): Promise<LastTold | undefined> {
  for await (const last of store.readStream(roomStream(roomId), { backwards: true, inParts: true })) {
    if (last.type !== 'pdu-accepted') continue;
    const header = JSON.parse(headerTextOf(last.data)) as Omit<PduAccepted, 'pdu'>; // written by the room's worker
    if (header.history !== true || header.extremities !== undefined) return { last, header };
  }
  return undefined;
}

async function findFact(
  store: Pick<EventStore, 'readStream'>,
  graph: RoomGraph,
  eventId: EventId,
): Promise<RecordedFact | undefined> {
  const event = await graph.findEvent(eventId);
  if (event?.outcome !== 'accepted') return undefined;
  for await (const fact of store.readStream(roomStream(graph.roomId), {
    from: event.revision,
    limit: 1,
    inParts: true,
  })) {
    return fact.type === 'pdu-accepted' ? fact : undefined;
  }
  return undefined;
}
