import { beforeEach, describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { trieOf } from '#protocol/state-trie/state-trie';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import type { StateLearnt } from '../facts/join-facts.js';
import type { LearnedState } from '../receive/learn-state.js';
import { learnInTurn } from './receive-in-turn.js';

const OTHER = new ForeignServer('b.example', 2);
/** The event before which the state is told; nobody has it yet. */
const LOST = '$lost' as StateLearnt['event_id'];

let log: MemoryEventStore;
let home: RoomCommands;
let others: RoomCommands;
let roomId: RoomId;
/** A state in so many parts that they take several writes. */
let whole: LearnedState;
/** As much of it as leaves something out. */
let less: LearnedState;

beforeEach(async () => {
  log = new MemoryEventStore();
  home = new RoomCommands(new RoomViews(log), TEST_AUTHOR);
  others = new RoomCommands(new RoomViews(log), TEST_AUTHOR);
  // What two processes decide alike in the same millisecond is one and the same to the log.
  others.now++;
  roomId = await home.open();
  for (let i = 0; i < 12; i++) await home.setState(ALICE, roomId, 'm.topic', {}, `${i}`);
  const entries = await home.workers.run(roomId, { actor: ALICE }, async ({ head }) => [...head.state.entries()]);
  whole = told(entries.result);
  less = told(entries.result.slice(0, -1));
});

/** Tells a state one entry after the other. */
function told(entries: Parameters<typeof trieOf>[0]): LearnedState {
  const state = trieOf(entries);
  const all = [...state.entries()];
  const parts = all.map(({ type, stateKey, eventId }, i) => ({
    event_id: LOST,
    origin: OTHER.name,
    part: i + 1,
    parts: all.length,
    root: state.rootHash,
    state: [[type, stateKey, eventId]] as const,
  }));
  return { kind: 'learnt', parts, state };
}

const learn = async (process: RoomCommands, learned: LearnedState, done: number, takesOver = false) =>
  (await process.workers.run(roomId, { actor: OTHER.name }, (turn) => learnInTurn(turn, learned, { done, takesOver })))
    .result;

/** The parts in the log, and what the views and the verifier make of them: both must be able to take them. */
async function partsInLog(): Promise<string[]> {
  await home.views.follow();
  expect(home.problems(roomId)).toEqual([]);
  return home.facts(roomId, 'state-learnt').map(({ data }) => {
    const { part, root } = JSON.parse(data) as StateLearnt;
    return `${root === whole.state.rootHash ? 'whole' : 'less'} ${part}`;
  });
}

const inOrder = (name: string, { parts }: LearnedState): string[] => parts.map(({ part }) => `${name} ${part}`);

describe('a state that is told in several writes', () => {
  it('is written once by two processes that are told it at once', async () => {
    expect(await learn(home, whole, 0)).toBe(8);
    expect(await learn(others, whole, 0)).toBe(16);
    expect(await learn(home, whole, 8)).toBe(whole.parts.length);
    expect(await learn(others, whole, 16)).toBe(whole.parts.length);
    expect(await partsInLog()).toEqual(inOrder('whole', whole));
  });

  it('is gone on with where a process ended while it wrote it, and not written again once it is there', async () => {
    await learn(home, whole, 0);
    const next = new RoomCommands(home.views, TEST_AUTHOR);
    for (let done = 0; done < whole.parts.length;) done = (await learn(next, whole, done)) as number;
    expect(await learn(others, whole, 0)).toBe(whole.parts.length);
    expect(await partsInLog()).toEqual(inOrder('whole', whole));
  });

  it('is left where another process has taken over with another state, of which nothing is mixed with it', async () => {
    expect(await learn(home, whole, 0)).toBe(8);
    expect(await learn(others, less, 0)).toEqual({ kind: 'told-otherwise' });
    expect(await learn(others, less, 0, true)).toBe(8);
    expect(await learn(home, whole, 8)).toEqual({ kind: 'told-otherwise' });
    for (let done = 8; done < less.parts.length;) done = (await learn(others, less, done)) as number;
    expect(await partsInLog()).toEqual([...inOrder('whole', whole).slice(0, 8), ...inOrder('less', less)]);
    const { result } = await home.workers.run(roomId, { actor: ALICE }, ({ known }) => known.findLearntState(LOST));
    expect(result?.rootHash).toBe(less.state.rootHash);
  });
});
