import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventId } from '#kernel/ids';
import { ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { ForeignPdu } from '#testing/receiving/foreign-server';
import { keysOf, MemoryRoom } from '#testing/receiving/memory-room';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts } from '#testing/project';
import { problemsOf, recordedFactsOf } from '#testing/receiving/verify-facts';
import { ForkedRoom, SERVERS, steps } from '../../test/receiving/forked-rooms.js';
import { slowKey, type SlowState } from '../../test/receiving/slow-resolution.js';
import { SlowRoom } from '../../test/receiving/slow-room.js';
import { type GraphState, RoomGraph } from '../graph/room-graph.js';
import { graphProjector } from '../projections/graph.projector.js';
import { createRoomFactReader } from '../projections/room-fact-reader.js';

/** How many rooms of each version: `ANNALS_ROOMS=1000` for a long look, `ANNALS_ROOMS_SEED` for others. */
const ROOMS = Number(process.env['ANNALS_ROOMS'] ?? 10);
const SEED = Number(process.env['ANNALS_ROOMS_SEED'] ?? 20_260_101);
const ORDERS = 3;

const sorted = (list: Iterable<unknown>): unknown[] => [...list].map((one) => JSON.stringify(one)).sort();
const entriesOf = (state: StateTrie) =>
  sorted(Array.from(state.entries(), ({ type, stateKey, eventId }) => [slowKey(type, stateKey), eventId]));
const slowEntriesOf = (state: SlowState) => sorted(state);

const KEYS = keysOf(...SERVERS);

/** A server that receives events in any order: those whose parents are not there wait. */
class Receiver {
  readonly fast: MemoryRoom;
  readonly slow: SlowRoom;
  #staged: ForeignPdu[] = [];

  constructor(room: ForkedRoom) {
    this.fast = new MemoryRoom(room.roomId, room.version, KEYS);
    this.slow = new SlowRoom(room.version);
  }

  async receive(pdu: ForeignPdu): Promise<void> {
    if (!(await this.#judge(pdu))) {
      this.#staged.push(pdu);
      return;
    }
    for (let again = true; again;) {
      again = false;
      for (const one of this.#staged) {
        if (!(await this.#judge(one))) continue;
        this.#staged = this.#staged.filter((other) => other !== one);
        again = true;
      }
    }
  }

  get waiting(): number {
    return this.#staged.length;
  }

  /** Whether it could be judged; the same as the reference says in any case. */
  async #judge({ event, text }: ForeignPdu): Promise<boolean> {
    const outcome = await this.fast.receive(text);
    const expected = this.slow.receive(event);
    expect({ [event.eventId]: outcome.kind }).toEqual({ [event.eventId]: expected });
    if (outcome.kind === 'missing') return false;
    const { fast, slow } = this;
    expect(entriesOf(fast.after(event.eventId))).toEqual(slowEntriesOf(slow.stateAfter(event.eventId)));
    expect(sorted(fast.extremities.map(({ eventId }) => eventId))).toEqual(sorted(slow.extremities()));
    expect(entriesOf(fast.state)).toEqual(slowEntriesOf(slow.current()));
    const redacted = [...fast.known].filter(([, { isRedacted }]) => isRedacted === true).map(([eventId]) => eventId);
    expect(sorted(redacted)).toEqual(sorted(slow.redacted()));
    return true;
  }
}

/** The graph that is made of the facts of a room has the states before and after each event that the reference found. */
async function checkGraph({ fast, slow }: Receiver): Promise<void> {
  const views = new MemoryReadModels();
  await applyFacts(graphProjector(createRoomFactReader()), recordedFactsOf(fast), views);
  const graph = new RoomGraph(views, fast.roomId);
  const told = async (state: GraphState | undefined) =>
    sorted((await state!.list()).map(({ type, stateKey, eventId }) => [slowKey(type, stateKey), eventId]));
  for (const eventId of fast.known.keys()) {
    expect(await told(await graph.findStateBefore(eventId))).toEqual(slowEntriesOf(slow.foundBefore(eventId)));
    expect(await told(await graph.findStateAfter(eventId))).toEqual(slowEntriesOf(slow.stateAfter(eventId)));
  }
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const keyed = list.map((item) => ({ item, at: random() }));
  return keyed.sort((a, b) => a.at - b.at).map(({ item }) => item);
}

const randomness = fc.infiniteStream(fc.nat(1_000_000)).map((stream) => () => stream.next().value as number);

describe.each(ROOM_VERSIONS)('rooms of version $id made by three servers that part and meet', ({ id }) => {
  const version = ROOM_VERSIONS.find((one) => one.id === id)!;

  it(
    'are, in whatever order their events arrive, what the reference makes of them',
    async () => {
      const seen = { accepted: 0, 'soft-failed': 0, rejected: 0 };
      await fc.assert(
        fc.asyncProperty(steps, randomness, async (list, random) => {
          const room = await ForkedRoom.of(version, list);
          const merge = room.merge();
          const receivers: Receiver[] = [];
          for (let i = 0; i < ORDERS; i++) {
            const receiver = new Receiver(room);
            const first = room.pdus.slice(0, -1);
            const order = i === 0 ? first : shuffled(first, random);
            for (const pdu of order) await receiver.receive(pdu);
            expect(receiver.waiting).toBe(0);
            receivers.push(receiver);
          }
          const ids = room.pdus.slice(0, -1).map(({ event }) => event.eventId);
          for (const eventId of ids) expectSame(receivers.map(({ fast }) => fast.after(eventId).rootHash));
          for (const receiver of receivers) await receiver.receive(merge);
          expectSame(mergedStates(receivers, merge.event.eventId));
          for (const receiver of receivers) {
            const { fast } = receiver;
            await checkGraph(receiver);
            expect(problemsOf(fast, KEYS)).toEqual([]);
            for (const { outcome } of fast.known.values()) if (outcome !== 'outlier') seen[outcome]++;
          }
        }),
        { numRuns: ROOMS, seed: SEED },
      );
      // A property about rooms in which nothing is refused would say little.
      expect(Object.values(seen).every((count) => count > 0)).toBe(true);
    },
    60_000 + ROOMS * 5_000,
  );
});

/** The current states of those for whom the last event, which stands on all others, was the only extremity. */
function mergedStates(receivers: readonly Receiver[], merge: EventId): string[] {
  const merged = receivers.filter(({ fast }) => fast.known.get(merge)?.outcome === 'accepted');
  for (const { fast } of merged) expect(fast.extremities.map(({ eventId }) => eventId)).toEqual([merge]);
  return merged.map(({ fast }) => fast.state.rootHash);
}

function expectSame(list: readonly string[]): void {
  expect(new Set(list).size).toBeLessThanOrEqual(1);
}
