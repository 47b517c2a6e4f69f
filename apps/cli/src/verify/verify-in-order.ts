import type { EventStore } from '#event-store/event-store';
import { type Position, START } from '#kernel/position';
import type { KeyRing } from '#rooms/audit/verify-room';
import { ROOM_STREAM_PREFIX } from '#rooms/facts/room-facts';
import type { Place, Report } from './finding.js';
import { StreamCheck } from './verify-stream.js';

export interface VerifyInOrderOptions {
  readonly store: EventStore;
  readonly head: Position;
  readonly keys: KeyRing;
  readonly report: Report;
  /** Told twice of each fact: it has been seen in its stream and in the global order. */
  readonly onFact: () => void;
  readonly onPlace: (place: Place) => void;
}

const BATCH = 1000;

/**
 * Checks the log of a server going through it once, in the global order, with the chains of all streams at hand: to read
 * each stream by itself would take a server twenty times as long. Holds the current state of every room. What is wrong with
 * reading is thrown. Answers how many streams, rooms and facts there are.
 */
export async function verifyInOrder(
  options: VerifyInOrderOptions,
): Promise<{ readonly streams: number; readonly rooms: number; readonly facts: number }> {
  const { store, head, report, onFact, onPlace } = options;
  const checks = new Map<string, StreamCheck>();
  let after: Position = START;
  let facts = 0;
  let rooms = 0;
  for await (const batch of store.readAll({ after: START, batchSize: BATCH })) {
    onPlace({ phase: 'order', position: after });
    for (const fact of batch) {
      if (fact.position > head) break;
      if (fact.position <= after) {
        report({ problem: `the global order goes back: position ${fact.position} comes after ${after}` });
      }
      after = fact.position;
      let check = checks.get(fact.stream);
      if (check === undefined) {
        checks.set(fact.stream, (check = new StreamCheck(fact.stream, options)));
        if (fact.stream.startsWith(ROOM_STREAM_PREFIX)) rooms++;
      }
      await check.pass(fact, true);
      facts++;
      onFact();
    }
    if (after >= head) break;
  }
  if (after < head)
    report({ problem: `the global order ends at position ${after}, and not at the end of the log, ${head}` });
  return { streams: checks.size, rooms, facts };
}
