import { expect, test, describe, beforeEach, vi } from 'vitest';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import { AppendTooLarge, EventStoreUnavailable } from '#event-store/event-store-errors';
import { verifyChain } from '#event-store/seal-facts';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { createSigningKey } from '#protocol/signing/signing-key';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { NO_VIEWS } from '#testing/no-views';
import { decideCreateEvent, type EventAuthor, seal } from '../decide/decide-event.js';
import { headBeforeCreate } from '../decide/room-head.js';
import { roomEventOfPdu } from '../facts/read-room-fact.js';
import { roomStream } from '../facts/room-facts.js';
import { liveRoom } from './live-room.js';
import { RoomSnapshots } from './room-snapshots.js';
import type { RoomTurn } from './room-turn.js';
import { RoomWorkers } from './room-workers.js';

const author: EventAuthor = {
  serverName: 'a.example' as ServerName,
  signingKey: createSigningKey(new Uint8Array(32).fill(7), '1'),
};
const alice = '@alice:a.example' as UserId;
const context = { actor: alice };
const clock = { now: () => 1_700_000_000_000 };

const fail = (_: RoomId, error: unknown): never => {
  throw error;
};

let store: EventStore;
let workers: RoomWorkers;

beforeEach(() => {
  store = new MemoryEventStore();
  workers = workersOn(store);
});

function workersOn(on: EventStore): RoomWorkers {
  const snapshots = new RoomSnapshots(on, new MemoryReadModels(), fail);
  return new RoomWorkers({ store: on, snapshots, views: NO_VIEWS, author, clock });
}

async function roomOf(versionId: string): Promise<RoomId> {
  const version = findRoomVersion(versionId);
  if (version === undefined) throw new Error(versionId);
  const own = version.roomIdIsCreateHash ? {} : { room_id: '!r:a.example' };
  const content = { room_version: versionId, ...(version.creatorInContent ? { creator: alice } : {}) };
  const base = { auth_events: [], prev_events: [], depth: 1, origin_server_ts: 1 };
  const sealed = seal(
    { ...base, ...own, content, sender: alice, state_key: '', type: 'm.room.create' },
    version,
    author,
  );
  const roomId = (version.roomIdIsCreateHash ? `!${sealed.eventId.slice(1)}` : '!r:a.example') as RoomId;
  const event = roomEventOfPdu(roomId, sealed.eventId, sealed.pdu, version);
  const head = headBeforeCreate(version, event);
  await workers.create(liveRoom(roomId, head), context, async (turn) => {
    turn.accept(decideCreateEvent(head, event, sealed.json));
    await turn.send({ type: 'm.room.member', stateKey: alice, sender: alice, content: { membership: 'join' } });
  });
  return roomId;
}

async function factsOf(roomId: RoomId): Promise<RecordedFact[]> {
  const facts: RecordedFact[] = [];
  for await (const fact of store.readStream(roomStream(roomId))) facts.push(fact);
  return facts;
}

function say(roomId: RoomId, body: string, on = workers): Promise<unknown> {
  return on.run(roomId, context, (turn) => turn.send({ type: 'm.room.message', sender: alice, content: { body } }));
}

describe.each(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12'])('a room of version %s', (version) => {
  test('takes what waits for it in order, each event on top of the last, in one unbroken chain', async () => {
    const roomId = await roomOf(version);
    await Promise.all(Array.from({ length: 20 }, (_, i) => say(roomId, `message ${i}`)));

    const facts = await factsOf(roomId);
    expect(facts).toHaveLength(22);
    const bodies = facts.slice(2).map((fact) => JSON.parse(fact.data).pdu.content.body);
    expect(bodies).toEqual(Array.from({ length: 20 }, (_, i) => `message ${i}`));
    expect(facts.map((fact) => JSON.parse(fact.data).pdu.depth)).toEqual(facts.map((_, i) => i + 1));
    expect(facts.every((fact, i) => verifyChain(facts[i - 1]?.metadata.chain, fact))).toBe(true);
  });

  test('goes on where it was after a restart', async () => {
    const roomId = await roomOf(version);
    await say(roomId, 'before');
    await say(roomId, 'after', workersOn(store));
    const [, , before, after] = (await factsOf(roomId)).map((fact) => JSON.parse(fact.data));
    expect(JSON.stringify(after.pdu.prev_events)).toContain(before.event_id);
    expect(after.root).toBe(before.root);
  });
});

test('a task that is refused leaves no trace, and its neighbours stand', async () => {
  const roomId = await roomOf('12');
  const refused = workers.run(roomId, context, async (turn) => {
    await turn.send({ type: 'm.room.message', sender: alice, content: { body: 'not this' } });
    await turn.send({ type: 'm.room.message', sender: '@mallory:a.example' as UserId, content: {} });
  });
  await Promise.all([say(roomId, 'one'), expect(refused).rejects.toThrow(MatrixError), say(roomId, 'two')]);
  const bodies = (await factsOf(roomId)).slice(2).map((fact) => JSON.parse(fact.data).pdu.content.body);
  expect(bodies).toEqual(['one', 'two']);
});

test('what a redaction takes away is gone for who comes behind it, in the same write too, unless it was refused', async () => {
  const roomId = await roomOf('11');
  const topic = (): Promise<unknown> =>
    workers
      .run(roomId, context, async (turn) => (await turn.findState('m.room.topic'))?.content)
      .then(({ result }) => result);
  const { result: set } = await workers.run(roomId, context, (turn) =>
    turn.send({ type: 'm.room.topic', stateKey: '', sender: alice, content: { topic: 'secret' } }),
  );
  const redact = (fails: boolean): Promise<unknown> =>
    workers.run(roomId, context, async (turn) => {
      turn.redact(
        { event_id: set.eventId, redacted_by: '$r' as EventId, room_version: '11' },
        { ...set.pdu, content: {} },
      );
      if (fails) throw new MatrixError('M_FORBIDDEN');
    });
  const refused = expect(redact(true)).rejects.toThrow(MatrixError);
  const seen = await Promise.all([topic(), redact(false).then(() => undefined), topic()]);
  await refused;
  expect(seen).toEqual([{ topic: 'secret' }, undefined, {}]);
  expect(await topic()).toEqual({});
});

test('what is in no memory of the state is read many at a time, and comes in the order that was asked for', async () => {
  const roomId = await roomOf('11');
  const written = Array.from({ length: 1_200 }, (_, i) => String(i));
  await workers.run(roomId, context, async (turn) => {
    for (const stateKey of written) await turn.send({ type: 'org.example', stateKey, sender: alice, content: {} });
  });
  let [atOnce, most] = [0, 0];
  const slow: EventStore = Object.assign(Object.create(store) as EventStore, {
    async *readStream(...asked: Parameters<EventStore['readStream']>): AsyncGenerator<RecordedFact> {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      try {
        yield* store.readStream(...asked);
      } finally {
        atOnce--;
      }
    },
  });
  // The first to be forgotten.
  const stateKeys = written.slice(0, 100);
  const keys = [...stateKeys, 'nobody'].map((stateKey) => ({ type: 'org.example', stateKey }));
  const { result } = await workersOn(slow).run(roomId, context, (turn) => turn.findStates(keys));
  expect(result.map(({ stateKey }) => stateKey)).toEqual(stateKeys);
  expect(most).toBeGreaterThan(8);
  expect(most).toBeLessThan(stateKeys.length);
});

test('two processes that write to one room both succeed, one after the other', async () => {
  const roomId = await roomOf('10');
  const other = workersOn(store);
  await say(roomId, 'warm', other);
  await Promise.all(Array.from({ length: 10 }, (_, i) => say(roomId, `m${i}`, i % 2 === 0 ? workers : other)));
  const facts = await factsOf(roomId);
  expect(facts).toHaveLength(13);
  expect(facts.map((fact) => JSON.parse(fact.data).pdu.depth)).toEqual(facts.map((_, i) => i + 1));
});

describe('a process whose every write to a room another one has just preceded', () => {
  /** The log as the slower one sees it: the other writes into the room just before each append, so many times. */
  function overtaken(roomId: RoomId, times: number): EventStore {
    let left = times;
    const append: EventStore['append'] = async (...args) => {
      if (left-- > 0) await say(roomId, 'faster');
      return store.append(...args);
    };
    return new Proxy(store, {
      get: (_, key) => (key === 'append' ? append : Reflect.get(store, key, store).bind(store)),
    });
  }

  test('gets its turn in the end', async () => {
    const roomId = await roomOf('10');
    const slower = workersOn(overtaken(roomId, 40));
    await say(roomId, 'slower', slower);
    const facts = await factsOf(roomId);
    expect(facts).toHaveLength(2 + 40 + 1);
    expect(JSON.parse(facts.at(-1)!.data).pdu.content.body).toBe('slower');
    expect(facts.map((fact) => JSON.parse(fact.data).pdu.depth)).toEqual(facts.map((_, i) => i + 1));
  });

  test('gives up after a while, as if the log could not be reached, and has written nothing', async () => {
    const roomId = await roomOf('10');
    const slower = workersOn(overtaken(roomId, Infinity));
    await expect(say(roomId, 'slower', slower)).rejects.toThrow(EventStoreUnavailable);
    const bodies = (await factsOf(roomId)).slice(2).map((fact) => JSON.parse(fact.data).pdu.content.body);
    expect(new Set(bodies)).toEqual(new Set(['faster']));
    await say(roomId, 'the other goes on');
  }, 30_000);
});

test('what is refused, and what there is nothing to do for, is decided on what other processes have written', async () => {
  const roomId = await roomOf('11');
  const others = workersOn(store);
  const topicOf = async (turn: RoomTurn): Promise<unknown> => (await turn.findState('m.room.topic'))?.content['topic'];
  const set = (topic: string) =>
    workers.run(roomId, context, (turn) =>
      turn.send({ type: 'm.room.topic', stateKey: '', sender: alice, content: { topic } }),
    );
  // From here on the room is in their memory.
  expect((await others.run(roomId, context, topicOf)).result).toBeUndefined();
  await set('first');
  await others.run(roomId, context, async (turn) => {
    if ((await topicOf(turn)) === undefined) throw new MatrixError('M_FORBIDDEN', 'no topic');
  });
  await set('second');
  expect((await others.run(roomId, context, topicOf)).result).toBe('second');
  // And no refusal becomes another for that.
  await expect(
    others.run(roomId, context, () => Promise.reject(new MatrixError('M_FORBIDDEN', 'never'))),
  ).rejects.toThrow('never');
});

test('a room that nobody created is one that nobody may enter', async () => {
  await expect(say('!no:a.example' as RoomId, 'hello')).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
});

test('a cold room begins at its snapshot, and not where the log disagrees with it', async () => {
  const readModels = new MemoryReadModels();
  const snapshots = new RoomSnapshots(store, readModels, fail);
  const roomId = await roomOf('11');
  for (let i = 0; i < 2_100; i += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, j) => say(roomId, `${i + j}`)));
  }
  const writing = new RoomWorkers({ store, snapshots, views: NO_VIEWS, author, clock });
  // What a process left that ended in the midst of one.
  const left = [roomId, '000000000007', '000000'];
  await readModels.write([{ collection: 'room-snapshots', key: left, value: '[]' }]);
  await say(roomId, 'makes the snapshot', writing);
  await writing.close();
  expect(await readModels.get('room-snapshots', left)).toBeUndefined();

  const found = await snapshots.find(roomId);
  expect(found?.head.revision).toBe((await factsOf(roomId)).length - 1);
  expect(found?.head.state.get('m.room.member', alice)).toBeDefined();

  const text = (await readModels.get('room-snapshots', [roomId, 'head'])) as string;
  const forged = JSON.stringify({ ...JSON.parse(text), chain: 'f'.repeat(64) });
  await readModels.write([{ collection: 'room-snapshots', key: [roomId, 'head'], value: forged }]);
  expect(await snapshots.find(roomId)).toBeUndefined();
  for (const damaged of ['\0\0\0', text.slice(0, 40), '{}', 'null']) {
    await readModels.write([{ collection: 'room-snapshots', key: [roomId, 'head'], value: damaged }]);
    expect(await snapshots.find(roomId), damaged).toBeUndefined();
  }
  await readModels.write([{ collection: 'room-snapshots', key: [roomId, 'head'], value: text }]);
  expect(await snapshots.find(roomId)).toBeDefined();
  const [chunk] = await readModels.scan('room-snapshots', {
    prefix: [roomId, text.match(/\d+/)![0].padStart(12, '0')],
    limit: 1,
  });
  for (const damaged of ['\0\0\0', '[null]', '{}', '[]']) {
    await readModels.write([{ collection: 'room-snapshots', key: chunk!.key, value: damaged }]);
    expect(await snapshots.find(roomId), damaged).toBeUndefined();
  }
  readModels.get = () => Promise.reject(new ViewsUnavailable('away'));
  expect(await snapshots.find(roomId)).toBeUndefined();
});

describe('a log that takes little at once', () => {
  const LIMIT = 20_000;
  let appends: number[];

  /** From now on the log refuses what is larger than its limit. */
  function limit(): void {
    appends = [];
    const append = store.append.bind(store);
    store.append = async (stream, expected, facts) => {
      const bytes = facts.reduce((sum, { data, metadata }) => sum + data.length + JSON.stringify(metadata).length, 0);
      if (bytes > LIMIT) throw new AppendTooLarge('too much', LIMIT);
      const appended = await append(stream, expected, facts);
      appends.push(facts.length);
      return appended;
    };
  }

  const sayMuch = (roomId: RoomId, characters: number) =>
    workers.run(roomId, context, (turn) =>
      turn.send({ type: 'm.x', sender: alice, content: { body: 'x'.repeat(characters) } }),
    );

  test('gets what waits in as many writes as it needs, and all of it', async () => {
    const roomId = await roomOf('11');
    limit();
    const sent = await Promise.all(Array.from({ length: 30 }, () => sayMuch(roomId, 6_000)));
    const ids = sent.map(({ result }) => result.eventId);
    expect(new Set(ids).size).toBe(30);
    expect(appends.reduce((sum, count) => sum + count, 0)).toBe(30);
    const stored: RecordedFact[] = [];
    for await (const fact of store.readStream(roomStream(roomId), { from: 2 })) stored.push(fact);
    expect(stored.map(({ data }) => (JSON.parse(data) as { event_id: string }).event_id)).toEqual(ids);
    // What it has refused once is not tried again.
    const before = appends.length;
    await Promise.all(Array.from({ length: 4 }, () => sayMuch(roomId, 4_000)));
    expect(appends.slice(before)).toEqual([1, 1, 1, 1]);
  });

  test('refuses only the task that is too large by itself', async () => {
    const roomId = await roomOf('11');
    limit();
    const [first, large, refused, last] = await Promise.allSettled([
      sayMuch(roomId, 100),
      sayMuch(roomId, 30_000),
      workers.run(roomId, context, () => Promise.reject(new MatrixError('M_FORBIDDEN'))),
      sayMuch(roomId, 100),
    ]);
    expect([first, last].map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(large).toMatchObject({ status: 'rejected', reason: expect.any(AppendTooLarge) });
    expect(refused).toMatchObject({ status: 'rejected', reason: { errcode: 'M_FORBIDDEN' } });
    expect(appends).toEqual([1, 1]);
  });
});

describe('what users here do', () => {
  const bodies = async (roomId: RoomId): Promise<string[]> =>
    (await factsOf(roomId)).slice(2).map((fact) => JSON.parse(fact.data).pdu.content.body);
  const hear = (roomId: RoomId, body: string): Promise<unknown> =>
    workers.receive(roomId, context, (turn) => turn.send({ type: 'm.room.message', sender: alice, content: { body } }));

  test('has its turn among what another server has told before', async () => {
    const roomId = await roomOf('12');
    await Promise.all([...['1', '2', '3', '4'].map((n) => hear(roomId, n)), say(roomId, 'ours'), say(roomId, 'later')]);
    expect(await bodies(roomId)).toEqual(['ours', '1', 'later', '2', '3', '4']);
  });

  test('waits for no more of that than is under way, where it takes long', async () => {
    const roomId = await roomOf('12');
    let now = 0;
    const clockOfBatches = vi.spyOn(performance, 'now').mockImplementation(() => (now += 300));
    try {
      let said: Promise<unknown> | undefined;
      const first = workers.receive(roomId, context, async (turn) => {
        await turn.send({ type: 'm.room.message', sender: alice, content: { body: '1' } });
        said ??= say(roomId, 'ours');
      });
      const others = ['2', '3'].map((n) => hear(roomId, n));
      await Promise.all([first, ...others]);
      await said;
    } finally {
      clockOfBatches.mockRestore();
    }
    expect(await bodies(roomId)).toEqual(['1', 'ours', '2', '3']);
  });
});
