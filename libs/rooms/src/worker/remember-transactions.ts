import type { EventStore } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import { readRoomFact } from '../facts/read-room-fact.js';
import { roomStream } from '../facts/room-facts.js';
import type { LiveRoom } from './live-room.js';
import { type Answered, type FactPlace, FIRST_PLACE, transactionName } from './room-transactions.js';

/** The facts of a room among which a transaction is looked for without the views. */
const LOOKED_THROUGH = 1024;

/**
 * Takes into a room's memory the transactions that whoever asked the views cannot know of; `viewed` is where those stood before. Reads
 * the log only where they had not come to what is in memory. Where they did not answer, it is undefined: then those of the last
 * thousand facts are taken. PERF: answers a promise only where the log is read.
 */
export function rememberTransactions(
  room: LiveRoom,
  store: EventStore,
  viewed: Position | undefined,
): Promise<void> | undefined {
  const { transactions, head } = room;
  if (viewed === undefined) {
    const first = head.revision - LOOKED_THROUGH;
    if (transactions.since.revision <= first) return undefined;
    return rememberEarlier(room, store, ({ revision }) => revision <= first);
  }
  transactions.viewed(viewed);
  if (transactions.since.position <= viewed) return undefined;
  return rememberEarlier(room, store, ({ position }) => position <= viewed);
}

/** Reads the log backwards up to the first fact that `isBefore` says need not be remembered, or to the room's beginning. */
async function rememberEarlier(
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
