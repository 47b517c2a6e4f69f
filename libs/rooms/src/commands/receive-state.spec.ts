import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { makeOn } from '#testing/receiving/make-on';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import type { StateLearnt } from '../facts/join-facts.js';
import type { LearnedState } from '../receive/learn-state.js';
import type { ServerKeys } from '../server-keys.js';
import { learnInTurn } from '../worker/receive-in-turn.js';
import { ReceivePdus } from './receive-pdus.js';
import { ReceiveState } from './receive-state.js';
import type { Receipt } from './receiving.js';

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
const VERSION = findRoomVersion('11')!;
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER);

/** Two processes that write to one log. */
let home: RoomCommands;
let others: RoomCommands;
let roomId: RoomId;
/** An event that waits in the first of them for the state before it. */
let waiting: EventId;
let state: readonly EventId[];
/** The state before it as the second is told it, without the topic and in three parts. */
let otherwise: LearnedState;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  const log = new MemoryEventStore();
  const start = () => new RoomCommands(new RoomViews(log), TEST_AUTHOR, KEYS, undefined, 'kurrentdb://log.example');
  [home, others] = [start(), start()];
  others.now++;
  roomId = await home.open();
  await home.setState(ALICE, roomId, 'm.room.topic', { topic: 'here' });
  const there = new RoomElsewhere(roomId, VERSION, KEYS, OTHER);
  await there.hear(home);
  const join = await there.joins();
  await home.execute(new ReceivePdus(OTHER.name, roomId, [join.text]));
  await there.says('missed');
  state = [...there.state.entries()].map(({ eventId }) => eventId);
  const hello = await makeOn(there, OTHER, { type: 'm.room.message', sender: BOB });
  waiting = hello.event.eventId;
  const { received }: Receipt = await home.execute(new ReceivePdus(OTHER.name, roomId, [hello.text]));
  expect(received).toMatchObject([{ kind: 'missing' }]);
  otherwise = inThreeParts(there.state.delete('m.room.topic', ''));
});
afterEach(() => {
  vi.useRealTimers();
});

function inThreeParts(told: StateTrie): LearnedState {
  const entries = Array.from(told.entries(), ({ type, stateKey, eventId }) => [type, stateKey, eventId] as const);
  const parts = [entries.slice(0, 1), entries.slice(1, 2), entries.slice(2)].map((some, i): StateLearnt => ({
    event_id: waiting,
    origin: OTHER.name,
    part: i + 1,
    parts: 3,
    root: told.rootHash,
    state: some,
  }));
  return { kind: 'learnt', parts, state: told };
}

/** Lets the second process write some of the parts, of which others were there before. */
async function tellOtherwise(parts: number): Promise<void> {
  const some = { ...otherwise, parts: otherwise.parts.slice(0, parts) };
  for (const part of some.parts) {
    await others.workers.run(roomId, { actor: OTHER.name }, async (turn) => turn.append('state-learnt', part));
  }
}

async function secondsPass(count: number): Promise<void> {
  for (let i = 0; i < count * 2; i++) {
    await vi.advanceTimersByTimeAsync(500);
    for (let turn = 0; turn < 10; turn++) await nextTurn();
  }
}

/** The root of the state before the event, by which it was judged. */
async function rootBefore(): Promise<string | undefined> {
  await home.views.follow();
  const { result } = await home.workers.run(roomId, { actor: ALICE }, ({ known }) => known.findLearntState(waiting));
  return result?.rootHash;
}

describe('a state that another process tells otherwise', () => {
  it('is waited for, and the event that waits here is judged by it', async () => {
    await tellOtherwise(1);
    const told: Promise<Receipt> = home.execute(new ReceiveState(OTHER.name, roomId, waiting, state));
    await secondsPass(5);
    for (const part of otherwise.parts.slice(1)) {
      await others.workers.run(roomId, { actor: OTHER.name }, async (turn) => turn.append('state-learnt', part));
      await secondsPass(5);
    }
    expect(await told).toMatchObject({ received: [{ kind: 'accepted', eventId: waiting }] });
    expect(await rootBefore()).toBe(otherwise.state.rootHash);
  });

  it('is taken over where nothing came of it for a minute', async () => {
    await tellOtherwise(2);
    const told: Promise<Receipt> = home.execute(new ReceiveState(OTHER.name, roomId, waiting, state));
    await secondsPass(50);
    expect(home.facts(roomId, 'state-learnt')).toHaveLength(2);
    await secondsPass(20);
    expect(await told).toMatchObject({ received: [{ kind: 'accepted' }] });
    expect(home.facts(roomId, 'state-learnt')).toHaveLength(3);
    expect(await rootBefore()).not.toBe(otherwise.state.rootHash);
    const last = await others.workers.run(roomId, { actor: OTHER.name }, (turn) =>
      learnInTurn(turn, otherwise, { done: 2, takesOver: false }),
    );
    expect(last.result).toMatchObject({ kind: 'known', outcome: 'accepted' });
  });
});
