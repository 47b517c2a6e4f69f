import type { EventStore } from '#event-store/event-store';
import { readRoomFact } from '../facts/read-room-fact.js';
import { roomStream } from '../facts/room-facts.js';
import type { LiveRoom } from './live-room.js';
import { type Answered, type FactPlace, FIRST_PLACE, transactionName } from './room-transactions.js';

/**
 * Takes into a room's memory the transactions of facts before those it remembers: reads the log backwards up to the first fact
 * that `isBefore` says need not be remembered, or to the room's beginning.
 */
export async function rememberTransactions(
  { roomId, transactions }: LiveRoom,
  store: EventStore,
  isBefore: (place: FactPlace) => boolean,
): Promise<void> {
  const earlier: Answered[] = [];
  let from = FIRST_PLACE;
  const last = transactions.since.revision;
  for await (const recorded of store.readStream(roomStream(roomId), { from: last, backwards: true })) {
    const { revision, position } = recorded;
    if (isBefore(recorded)) {
      from = { revision, position };
      break;
    }
    const fact = readRoomFact(roomId, recorded);
    if (fact.type !== 'pdu-accepted' || fact.header.txn === undefined) continue;
    const { event } = fact;
    const name = transactionName(event, fact.header.txn);
    earlier.push({ name, eventId: event.eventId, place: { revision, position } });
  }
  transactions.noteEarlier(earlier.toReversed(), from);
}
