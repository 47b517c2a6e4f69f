import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import { EventStoreUpon } from '#event-store/event-store-upon';
import { acceptKey, nameLog, SERVER_STREAM } from '#event-store/log-identity';
import { sealFacts } from '#event-store/seal-facts';
import { systemClock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { positionOf } from '#testing/position-of';
import { LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { LogFinding } from './finding.js';
import { compareCounts, verifyLog, type VerifiedLog } from './verify-log.js';

let store: MemoryEventStore;

beforeEach(async () => {
  store = new MemoryEventStore();
  for (const user of ['alice', 'bob', 'carol']) await append(`user-@${user}:a.example`, 'no-stream', 5);
  await LocalRoom.begin(store);
});

async function append(stream: string, expected: number | 'no-stream', facts: number): Promise<void> {
  const draft = { type: 'profile-changed', data: '{"key":"displayname","value":"A"}', at: 1, actor: 'server' };
  const drafts = Array.from({ length: facts }, () => ({ ...draft, id: randomUUID() }));
  await store.append(stream, expected, sealFacts(undefined, drafts));
}

async function verify(on: EventStore, isEmbedded = true): Promise<{ all: LogFinding[]; log: VerifiedLog }> {
  const all: LogFinding[] = [];
  const log = await verifyLog({ store: on, keys: () => undefined, report: (each) => all.push(each), isEmbedded });
  return { all, log };
}

/** The log, but for what a test does to its streams. */
function withChanges(changes: Partial<EventStore>): EventStore {
  return Object.assign(new EventStoreUpon(store), changes);
}

test('a room may lack its first facts where it was purged, and nowhere else', async () => {
  const room = await LocalRoom.begin(store);
  await room.say('one');
  await room.say('two');
  const stream = `room-${room.roomId}`;
  const facts: RecordedFact[] = [];
  for await (const fact of store.readStream(stream)) facts.push(fact);
  const last = facts.at(-1)!;
  const found = (await verify(store)).all;
  const torn = store.copy();
  await torn.truncate(stream, 2);
  for (const isEmbedded of [true, false]) {
    expect((await verify(torn, isEmbedded)).all).toContainEqual({
      stream,
      problem: 'its first facts are not there, and it was not purged',
    });
  }
  const data = JSON.stringify({ room_version: room.version.id, up_to: last.revision });
  const purged = { id: randomUUID(), type: 'room-purged', data, at: 1, actor: 'server' };
  await store.append(stream, last.revision, sealFacts(last.metadata.chain, [purged]));
  // Where the process ended in the midst of letting go of them, some of them are there.
  for (const before of [0, 2, last.revision + 1]) {
    if (before > 0) await store.truncate(stream, before);
    for (const isEmbedded of [true, false]) expect((await verify(store, isEmbedded)).all).toEqual(found);
  }
});

test('a stream may lack its first facts, where they were truncated, and what was erased holds', async () => {
  const head = '{"key":"displayname","value":';
  const draft = {
    id: randomUUID(),
    type: 'profile-changed',
    data: `${head}"A"}`,
    erasable: head.length,
    at: 1,
    actor: 'server',
  };
  const drafts = Array.from({ length: 5 }, () => ({ ...draft, id: randomUUID() }));
  await store.append('user-@dora:a.example', 'no-stream', sealFacts(undefined, drafts));
  const { log: before } = await verify(store);
  const found = (await verify(store)).all;
  await store.truncate('user-@dora:a.example', 3);
  await store.erase('user-@dora:a.example', 4, 'null}');
  for (const isEmbedded of [true, false]) {
    const { all, log } = await verify(store, isEmbedded);
    expect(all).toEqual(found);
    expect(log.facts).toBe(before.facts - 3);
  }
});

test('a stream may lose its first facts while it is verified, before or after they are counted in the order', async () => {
  await append('user-@dora:a.example', 'no-stream', 5);
  const found = (await verify(store)).all;
  const head = await store.head();
  await store.truncate('user-@dora:a.example', 3);
  const counted = { isComplete: true, facts: 19, ordered: 19 };
  const report = (finding: LogFinding): void => void found.push(finding);
  const options = { store, head, isEmbedded: true, report, onPlace: () => {}, onFact: () => {} };
  for (const [facts, ordered] of [[22, 19], [19, 22]] as const) await compareCounts({ ...counted, facts, ordered }, options); // prettier-ignore
  expect(found).toEqual([]);
  const short = withChanges({ streams: async function* () { for await (const name of store.streams()) if (!name.includes('dora')) yield name; } }); // prettier-ignore
  await compareCounts({ ...counted, facts: 17 }, { ...options, store: short });
  expect(found).toEqual([{ problem: 'the streams hold 17 facts, the global order holds 19' }]);
});

test('a stream may lose its first facts while it is looked for those of the order in it', async () => {
  await append('user-@dora:a.example', 'no-stream', 5);
  const found: LogFinding[] = [];
  const options = { head: await store.head(), isEmbedded: true, onPlace: () => {}, onFact: () => {} };
  const report = (finding: LogFinding): void => void found.push(finding);
  let isShort = false;
  const shortening = withChanges({
    readStream: async function* (stream, range) {
      if (stream.includes('dora') && !isShort) await store.truncate(stream, 3);
      isShort ||= stream.includes('dora');
      yield* store.readStream(stream, range);
    },
  });
  const counted = { isComplete: true, facts: 19, ordered: 22 };
  await compareCounts(counted, { ...options, report, store: shortening });
  expect([isShort, found]).toEqual([true, []]);
});

test('a stream may lose its first facts while it is read', async () => {
  await append('user-@dora:a.example', 'no-stream', 5);
  const found = (await verify(store)).all;
  let isShort = false;
  const shortening = withChanges({
    readStream: async function* (stream, range) {
      for await (const fact of store.readStream(stream, range)) {
        yield fact;
        if (isShort || !stream.includes('dora')) continue;
        isShort = true;
        await store.truncate(stream, 3);
        yield* store.readStream(stream, { from: 3 });
        return;
      }
    },
  });
  expect((await verify(shortening)).all).toEqual(found);
  expect(isShort).toBe(true);
});

test('what should have followed on the last fact of a room is missed', async () => {
  const room = await LocalRoom.begin(store, '11', 'other');
  const { eventId } = await room.say('oops');
  const { all: before, log } = await verify(store);
  await room.send({ type: 'm.room.redaction', content: { redacts: eventId } });
  const revision = 3;
  for (const isEmbedded of [true, false]) {
    const { all } = await verify(store, isEmbedded);
    expect(all.filter((one) => !before.some(({ problem }) => one.problem === problem))).toEqual([
      { stream: `room-${room.roomId}`, revision, problem: expect.stringContaining('takes effect at once') },
      { stream: `room-${room.roomId}`, revision, problem: expect.stringContaining(`${eventId}: is redacted by`) },
    ]);
  }
  expect(log.rooms).toBe(2);
});

describe('whose log it is', () => {
  const key = { key_id: 'ed25519:a', public_key: 'A'.repeat(43) };

  async function say(...facts: (readonly [type: string, data: object])[]): Promise<LogFinding[]> {
    const drafts = facts.map(([type, data]) => ({ id: randomUUID(), type, data: JSON.stringify(data), at: 1 }));
    const sealed = sealFacts(
      undefined,
      drafts.map((draft) => ({ ...draft, actor: 'server' })),
    );
    await store.append(SERVER_STREAM, 'no-stream', sealed);
    return (await verify(store)).all;
  }

  test('is said in the first fact of the stream of the server, and keys behind it', async () => {
    await nameLog(store, systemClock, 'a.example' as ServerName, key);
    await acceptKey(store, systemClock, { ...key, key_id: 'ed25519:b' });
    expect((await verify(store)).all).toEqual([]);
  });

  test.each([
    ['by another fact', [['signing-key-accepted', key]], 'it does not say whose log this is'],
    [
      'with a name that is none',
      [['log-begun', { log_id: randomUUID(), server_name: 'a b', key }]],
      'not say properly',
    ],
    ['without a key', [['log-begun', { log_id: randomUUID(), server_name: 'a.example' }]], 'not say properly'],
    [
      'twice',
      [
        ['log-begun', { log_id: randomUUID(), server_name: 'a.example', key }],
        ['log-begun', { log_id: randomUUID(), server_name: 'b.example', key }],
      ],
      'once more whose log',
    ],
    [
      'with a key that is none',
      [
        ['log-begun', { log_id: randomUUID(), server_name: 'a.example', key }],
        ['signing-key-accepted', { key_id: 'ed25519:b', public_key: 'short' }],
      ],
      'names no signing key',
    ],
  ] as const)('said %s is a finding', async (_, facts, problem) => {
    expect(await say(...facts)).toEqual([
      { stream: SERVER_STREAM, revision: facts.length - 1, problem: expect.stringContaining(problem) },
    ]);
  });
});

const FIRST = positionOf(1);
const BOB = 'user-@bob:a.example';

/** As the log, with the facts of Bob's stream as `change` makes them: undefined leaves one out, an error cannot be read. */
function withBobs(change: (fact: RecordedFact) => RecordedFact | Error | undefined): EventStore {
  return withChanges({
    async *readStream(stream, options = {}) {
      let left = options.limit ?? Infinity;
      for await (const fact of store.readStream(stream, { ...options, limit: undefined })) {
        const changed = stream === BOB ? change(fact) : fact;
        if (changed === undefined) continue;
        if (changed instanceof Error) throw changed;
        if (left-- <= 0) return;
        yield changed;
      }
    },
  });
}

describe('the verification of a log', () => {
  test('counts what it has checked and finds nothing where all is well', async () => {
    const { all, log } = await verify(store);
    expect(all).toEqual([]);
    expect(log).toEqual({ head: await store.head(), streams: 4, rooms: 1, facts: 17, ordered: 17, isComplete: true });
  });

  test('is the same in parts: each stream in one of them, the order in the first', async () => {
    await append('user-@dora:a.example', 'no-stream', 2);
    const logs: VerifiedLog[] = [];
    const head = await store.head();
    await append('user-@erin:a.example', 'no-stream', 2);
    for (let index = 0; index < 3; index++) {
      const all: LogFinding[] = [];
      const part = { index, of: 3 };
      const shared = { store, keys: () => undefined, report: (each: LogFinding) => all.push(each), isEmbedded: true };
      logs.push(await verifyLog({ ...shared, part, head }));
      // Erin's stream came behind the end: whoever has it finds no facts to count in it.
      expect(all).toEqual([]);
    }
    expect(logs.reduce((sum, { facts }) => sum + facts, 0)).toBe(19);
    expect(logs.map(({ ordered }) => ordered)).toEqual([19, undefined, undefined]);
    expect(new Set(logs.map(({ facts }) => facts)).size).toBeGreaterThan(1);
  });

  test('names a gap in the revisions and the fact that lost its place', async () => {
    const { all } = await verify(withBobs((fact) => (fact.revision === 2 ? undefined : fact)));
    const place = { stream: BOB, revision: 2 };
    expect(all).toEqual([
      { ...place, problem: 'it says that it is revision 3' },
      { ...place, problem: expect.stringContaining('the chain does not hold') },
      { problem: 'the streams hold 16 facts, the global order holds 17' },
      { ...place, problem: expect.stringMatching(/^is in the global order at position .*, but not in its stream$/) },
    ]);
  });

  test('names the facts that a stream has lost at its end, also where it has lost all', async () => {
    const { all } = await verify(withBobs((fact) => (fact.revision === 4 ? undefined : fact)));
    expect(all).toContainEqual({ stream: BOB, revision: 4, problem: expect.stringContaining('but not in its stream') });
    const { all: none } = await verify(withBobs(() => undefined));
    expect(none).toContainEqual({ stream: BOB, problem: 'is named, but holds no facts' });
    expect(none.filter(({ problem }) => problem.includes('but not in its stream'))).toHaveLength(5);
  });

  test('names a fact that cannot be read, once, and goes on behind it', async () => {
    const { all, log } = await verify(withBobs((fact) => (fact.revision === 1 ? new Error('torn') : fact)));
    expect(all).toEqual([{ stream: BOB, revision: 1, problem: 'cannot be read: torn' }]);
    expect(log.facts).toBe(17);
  });

  test.each<[string, Partial<RecordedFact>, string]>([
    ['another stream', { stream: 'user-@eve:a.example' }, 'it says that it belongs to user-@eve:a.example'],
    ['another revision', { revision: 77 }, 'it says that it is revision 77'],
    ['an earlier position', { position: FIRST }, 'at position 0000000000000000001'],
    ['a position behind the end', { position: positionOf(900) }, 'behind the end of the log'],
    ['changed data', { data: '{}' }, 'the chain does not hold'],
    ['broken data', { data: '{' }, 'its data is not JSON'],
    ['no metadata', { metadata: null as unknown as RecordedFact['metadata'] }, 'the metadata are malformed'],
  ])('names a fact with %s', async (_, change, problem) => {
    const { all } = await verify(withBobs((fact) => (fact.revision === 3 ? { ...fact, ...change } : fact)));
    expect(all).toContainEqual({ stream: BOB, revision: 3, problem: expect.stringContaining(problem) });
    expect(all.every(({ stream, revision }) => stream === BOB && revision! >= 3)).toBe(true);
  });

  test('names what cannot be right in the global order', async () => {
    const swapped = withChanges({
      async *readAll(options) {
        for await (const batch of store.readAll(options)) {
          yield batch.map((fact) => (fact.position === positionOf(9) ? { ...fact, position: FIRST } : fact));
        }
      },
    });
    expect((await verify(swapped)).all).toEqual([
      { problem: expect.stringContaining('position 0000000000000000009 of the global order cannot be read') },
    ]);
  });

  test('ends where damage leads it in circles', async () => {
    async function* circle(): AsyncIterable<string> {
      for (;;) yield* ['a', BOB, 'b'];
    }
    const { all } = await verify(withChanges({ streams: circle }));
    expect(all).toContainEqual({ problem: expect.stringContaining('cannot be listed') });
    const again = withBobs((fact) => (fact.revision === 4 ? { ...fact, revision: 0 } : fact));
    expect((await verify(again)).all.length).toBeLessThan(10);
  });

  test('leaves alone what is appended meanwhile', async () => {
    let appended = false;
    const growing = withChanges({
      async *streams() {
        for await (const stream of store.streams()) {
          if (!appended) await append('user-@dora:a.example', 'no-stream', 3);
          appended = true;
          yield stream;
        }
      },
    });
    const { all, log } = await verify(growing);
    expect(all).toEqual([]);
    expect(log.facts).toBe(17);
  });

  test('is done in one go on a server, stream by stream as they come', async () => {
    const unread = withChanges({
      readStream: () => {
        throw new Error('a stream was read by itself');
      },
    });
    const { all, log } = await verify(unread, false);
    expect(all).toEqual([]);
    expect(log).toEqual({ head: await store.head(), streams: 4, rooms: 1, facts: 17, ordered: 17, isComplete: true });
  });

  test('finds on a server what was changed, and what is missing', async () => {
    const change = (data: (fact: RecordedFact) => RecordedFact | undefined): EventStore =>
      withChanges({
        async *readAll(options) {
          for await (const batch of store.readAll(options)) yield batch.map(data).filter((fact) => fact !== undefined);
        },
      });
    const isSecond = (fact: RecordedFact): boolean => fact.stream === BOB && fact.revision === 1;
    const changed = await verify(
      change((fact) => (isSecond(fact) ? { ...fact, data: '{}' } : fact)),
      false,
    );
    expect(changed.all).toMatchObject([{ stream: BOB, revision: 1, problem: expect.stringContaining('the chain') }]);
    const missing = await verify(
      change((fact) => (isSecond(fact) ? undefined : fact)),
      false,
    );
    expect(missing.all[0]).toEqual({ stream: BOB, revision: 1, problem: 'it says that it is revision 2' });
  });

  test('takes the silence of a server for no finding', async () => {
    const silent = withChanges({
      readAll: () => {
        throw new Error('no answer');
      },
    });
    await expect(verify(silent, false)).rejects.toThrow('no answer');
  });
});
