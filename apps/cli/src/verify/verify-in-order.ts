import type { EventStore, RecordedFact } from '#event-store/event-store';
import { type Position, START } from '#kernel/position';
import type { KeyRing } from '#rooms/audit/verify-room';
import { ROOM_STREAM_PREFIX } from '#rooms/facts/room-facts';
import { ChecksAside } from './checks-aside.js';
import type { Place, Report } from './finding.js';
import { halve, isIn, type Part } from './part.js';
import { StreamCheck } from './verify-stream.js';

export interface VerifyInOrderOptions {
  readonly store: EventStore;
  readonly head: Position;
  readonly keys: KeyRing;
  readonly report: Report;
  /** Told twice of each fact: it has been seen in its stream and in the global order. */
  readonly onFact: () => void;
  /** See VerifyStreamOptions. */
  readonly onUnverifiable?: (server: string) => void;
  readonly onPlace: (place: Place) => void;
  /** How much may be held at once, in events of the current state of rooms; a larger log is gone through several times. */
  readonly mostHeld?: number;
}

const BATCH = 1000;
const MOST_HELD = 250_000;
/** One room alone may be larger than what should be held. */
const MOST_PARTS = 2 ** 20;

/** Streams to go through the log for. */
interface Share {
  readonly part: Part;
  /** Up to here they were checked when they were put off. */
  readonly checkedTo: Position;
}

/**
 * Checks the log of a server going through it in the global order, with the chains of all streams at hand: to read each stream
 * by itself would take a server twenty times as long. Holds the current state of every room; where that is too much, half of
 * the streams is put off, and the log gone through again for them. What is wrong with reading is thrown. Answers how many
 * streams, rooms and facts there are.
 */
export async function verifyInOrder(
  options: VerifyInOrderOptions,
): Promise<{ readonly streams: number; readonly rooms: number; readonly facts: number }> {
  const first = new Walk({ part: { index: 0, of: 1 }, checkedTo: START }, options);
  const after = await walkInOrder(first, options);
  if (after < options.head) {
    const problem = `the global order ends at position ${after}, and not at the end of the log, ${options.head}`;
    options.report({ problem });
  }
  const total = { ...first.tally };
  const putOff = [...first.putOff];
  for (let share = putOff.pop(); share !== undefined; share = putOff.pop()) {
    const walk = new Walk(share, options);
    await walkInOrder(walk, { ...options, report: () => {} });
    putOff.push(...walk.putOff);
    total.streams += walk.tally.streams;
    total.rooms += walk.tally.rooms;
    total.facts += walk.tally.facts;
  }
  return total;
}

/** Goes through the log, and reports where its order is wrong. Answers where it ends. */
async function walkInOrder(walk: Walk, { store, head, report, onPlace }: VerifyInOrderOptions): Promise<Position> {
  let after: Position = START;
  for await (const batch of store.readAll({ after: START, batchSize: BATCH })) {
    onPlace({ phase: 'order', position: after });
    for (const fact of batch) {
      if (fact.position > head) break;
      if (fact.position <= after) {
        report({ problem: `the global order goes back: position ${fact.position} comes after ${after}` });
      }
      after = fact.position;
      await walk.take(fact);
    }
    if (after >= head) break;
  }
  await walk.end();
  return after;
}

/** The checks of a share of the streams. */
class Walk {
  readonly tally = { streams: 0, rooms: 0, facts: 0 };
  readonly putOff: Share[] = [];
  readonly #checks = new Map<string, StreamCheck>();
  readonly #aside = new ChecksAside();
  readonly #checkedTo: Position;
  #part: Part;
  #held = 0;

  constructor(
    { part, checkedTo }: Share,
    private readonly options: VerifyInOrderOptions,
  ) {
    this.#part = part;
    this.#checkedTo = checkedTo;
  }

  async take(fact: RecordedFact): Promise<void> {
    const { stream, position } = fact;
    if (!isIn(this.#part, stream)) return;
    const isNew = position > this.#checkedTo;
    let check = this.#checks.get(stream);
    if (check === undefined) {
      check = new StreamCheck(stream, { ...this.options, aside: this.#aside });
      this.#checks.set(stream, check);
      this.#held += check.held;
      if (isNew) {
        this.tally.streams++;
        if (stream.startsWith(ROOM_STREAM_PREFIX)) this.tally.rooms++;
      }
    }
    const before = check.held;
    if (isNew) {
      await check.pass(fact, true);
      this.tally.facts++;
      this.options.onFact();
    } else await check.passAgain(fact);
    this.#held += check.held - before;
    if (this.#held > (this.options.mostHeld ?? MOST_HELD)) this.#putOffHalf(position);
  }

  /** Settles when all findings are told. */
  end(): Promise<void> {
    for (const check of this.#checks.values()) check.end();
    return this.#aside.settled();
  }

  #putOffHalf(position: Position): void {
    if (this.#checks.size === 1 || this.#part.of >= MOST_PARTS) return;
    const [half, rest] = halve(this.#part);
    this.#part = half;
    this.putOff.push({ part: rest, checkedTo: position > this.#checkedTo ? position : this.#checkedTo });
    for (const [stream, check] of this.#checks) {
      if (isIn(half, stream)) continue;
      this.#checks.delete(stream);
      this.#held -= check.held;
    }
  }
}
