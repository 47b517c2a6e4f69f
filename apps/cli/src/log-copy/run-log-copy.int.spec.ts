import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import { openKurrentEventStore } from '#event-store/kurrentdb/kurrentdb-event-store';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { LogDamaged } from '#event-store/event-store-errors';
import { findLogIdentity, noteRestored } from '#event-store/log-identity';
import { LogHistory } from '#event-store/log-history';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { sealFacts } from '#event-store/seal-facts';
import { openOwnLog } from '#homeserver/open-own-log';
import { listProjectors } from '#homeserver/projectors';
import { systemClock } from '#kernel/clock';
import { parsePlace, START } from '#kernel/position';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ReceiveOutliers } from '#rooms/commands/receive-outliers';
import { ReceivePdus } from '#rooms/commands/receive-pdus';
import { ReceiveState } from '#rooms/commands/receive-state';
import { roomStream } from '#rooms/facts/room-facts';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import type { ServerKeys } from '#rooms/server-keys';
import { DataFolder } from '#testing/data-folder';
import { type KurrentStandIn, startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { DEFAULT_APPEND_BYTES } from '#testing/kurrentdb-stand-in/stand-in-log';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { makeGap } from '#testing/receiving/make-gap';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { applyFacts, rowsOf } from '#testing/project';
import { recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import type { LogFinding } from '../verify/finding.js';
import { verifyLog } from '../verify/verify-log.js';
import { copyLog } from './copy-log.js';
import { runLogCopy } from './run-log-copy.js';

const SECRET = 'message 7';

let folder: DataFolder;
let server: KurrentStandIn;
let other: string;

beforeEach(async () => {
  folder = new DataFolder();
  server = await startKurrentStandIn();
  other = mkdtempSync(join(tmpdir(), 'annals-copied-'));
  const room = await folder.fill();
  await folder.write(async (store) => {
    const facts = await factsOf(store);
    const said = facts.find(({ data }) => data.includes(SECRET))!;
    const left = said.data.slice(said.metadata.erasable).replace(SECRET, 'gone');
    await store.erase(said.stream, said.revision, left);
    const drafts = Array.from({ length: 6 }, (_, n) => ({
      id: randomUUID(),
      type: 'something',
      data: `[${n}]`,
      at: n,
      actor: 'server',
    }));
    await store.append('device-x', 'no-stream', sealFacts(undefined, drafts));
    await store.truncate('device-x', 4);
    await noteRestored(store, systemClock, said.position);
    expect(said.stream).toBe(roomStream(room.roomId));
  });
});
afterEach(async () => {
  await server.close();
  folder.remove();
  rmSync(other, { recursive: true, force: true });
});

async function factsOf(store: EventStore): Promise<RecordedFact[]> {
  const facts: RecordedFact[] = [];
  for await (const batch of store.readAll({ after: START })) facts.push(...batch);
  return facts;
}

/** All that is the same in every copy: but for whose log it is, everything, in order. */
function comparable(facts: readonly RecordedFact[]): unknown {
  return facts
    .filter(({ stream }) => stream !== 'server')
    .map(({ stream, revision, id, type, data, metadata }) => ({ stream, revision, id, type, data, metadata }));
}

async function findingsIn(store: EventStore, isEmbedded: boolean): Promise<LogFinding[]> {
  const findings: LogFinding[] = [];
  await verifyLog({ store, keys: () => undefined, report: (finding) => findings.push(finding), isEmbedded });
  return findings;
}

const copyTo = (target: string, from = testInstallation(folder.path)): Promise<number> =>
  runLogCopy(from, recordedTerminal(), { target, namespace: 'annals', signal: new AbortController().signal });

const onServer = () => openKurrentEventStore(server.url);
const embedded = (path: string) => openLmdbEventStore(join(path, 'log'), { readOnly: true });

async function within<T>(open: () => Promise<EventStore>, work: (store: EventStore) => Promise<T>): Promise<T> {
  const store = await open();
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

describe('a log that is copied to a server and back', () => {
  test('is the same but for its id, verifies, and gives the same views; nothing that was erased is in it', async () => {
    expect(await copyTo(server.url)).toBe(EXIT.ok);
    const installed = testInstallation(folder.path, { ANNALS_EVENT_STORE_URL: server.url });
    expect(await copyTo(other, installed)).toBe(EXIT.ok);
    const logs = await Promise.all(
      [() => embedded(folder.path), onServer, () => embedded(other)].map((open, n) =>
        within(open, async (store) => ({
          facts: await factsOf(store),
          identity: (await findLogIdentity(store))!,
          findings: await findingsIn(store, n !== 1),
        })),
      ),
    );
    const [first, second, third] = logs.map(({ facts }) => facts);
    expect(comparable(second!)).toEqual(comparable(first!));
    expect(comparable(third!)).toEqual(comparable(first!));
    expect(logs.map(({ findings }) => findings)).toEqual([[], [], []]);
    expect(new Set(logs.map(({ identity }) => identity.logId)).size).toBe(3);
    expect(new Set(logs.map(({ identity }) => JSON.stringify([identity.serverName, identity.keys]))).size).toBe(1);
    expect(logs.map(({ identity }) => identity.copy)).toEqual([
      undefined,
      { of: logs[0]!.identity.logId, isComplete: true },
      { of: logs[1]!.identity.logId, isComplete: true },
    ]);
    expect(first!.filter(({ stream }) => stream === 'device-x').map(({ revision }) => revision)).toEqual([4, 5]);

    const rows = await Promise.all([first!, third!].map((facts) => viewsOf(facts)));
    expect(rows[1]).toEqual(rows[0]);
    for (const event of server.log.events) expect(Buffer.from(event.data).includes(SECRET)).toBe(false);
    for (const name of readdirSync(other, { recursive: true, encoding: 'utf8' })) {
      const path = join(other, name);
      if (statSync(path).isFile()) expect(readFileSync(path).includes(SECRET)).toBe(false);
    }
    expect(readdirSync(join(other, 'keys'))).toEqual(['signing.key']);
  });

  test('is for nobody else of the machine to look into', async () => {
    const made = join(other, 'new');
    expect(await copyTo(made)).toBe(EXIT.ok);
    for (const path of [made, join(made, 'log'), join(made, 'keys')]) expect(statSync(path).mode & 0o077).toBe(0);
  });

  test('has what was told in parts as it was written, also on a server that takes 1 MB at once', async () => {
    server.log.maxAppendBytes = DEFAULT_APPEND_BYTES;
    const room = await roomWithParts();
    await folder.write((store) => appendAll(store, room));
    expect(await copyTo(server.url)).toBe(EXIT.ok);
    const copied = await within(onServer, async (store) => {
      expect(await findingsIn(store, false)).toEqual([]);
      return factsOf(store);
    });
    const first = await within(() => embedded(folder.path), factsOf);
    expect(comparable(copied)).toEqual(comparable(first));
    expect(first.filter(({ type }) => type === 'change-told').length).toBeGreaterThan(10);
    expect(await viewsOf(copied)).toEqual(await viewsOf(first));
  });

  test('is served as it is, and no place that somebody remembered of the other is believed', async () => {
    await copyTo(other);
    const { store, identity } = await openOwnLog(testInstallation(other).config, systemClock);
    await store.close();
    const before = await within(() => embedded(folder.path), findLogIdentity);
    const place = parsePlace('5')!;
    for (const remembered of [LogHistory.UNBROKEN.format(place), new LogHistory(before!.restored).format(place)]) {
      expect(new LogHistory(identity.restored).find(remembered)).toEqual({ place: START, isLost: true });
    }
    const now = new LogHistory(identity.restored);
    expect(now.find(now.format(place))).toEqual({ place, isLost: false });
  });
});

/** The facts of a room in which so much changed at once that it was told in parts. */
async function roomWithParts(): Promise<readonly RecordedFact[]> {
  const there = new ForeignServer('b.example', 2);
  const keys: ServerKeys = keysKnownTo(TEST_AUTHOR, there);
  const home = new RoomCommands(new RoomViews(new MemoryEventStore()), TEST_AUTHOR, keys);
  const roomId = await home.open();
  const { result: head } = await home.workers.run(roomId, { actor: ALICE }, async (turn) => turn.head);
  const { members, state, said } = makeGap({ roomId, version: head.version, head }, there, 30, 'x'.repeat(40_000));
  await home.execute(
    new ReceiveOutliers(
      there.name,
      roomId,
      members.map(({ text }) => text),
    ),
  );
  await home.execute(new ReceiveState(there.name, roomId, said.event.eventId, state));
  await home.execute(new ReceivePdus(there.name, roomId, [said.text]));
  return home.facts(roomId);
}

async function appendAll(store: EventStore, facts: readonly RecordedFact[]): Promise<void> {
  for (const { stream, revision, ...fact } of facts) {
    await store.append(stream, revision === 0 ? 'no-stream' : revision - 1, [fact]);
  }
}

/** The rows of all projectors, with positions by the order of facts. */
async function viewsOf(facts: readonly RecordedFact[]): Promise<unknown> {
  const store = new MemoryEventStore();
  const next = new Map<string, number>();
  for (const { stream, ...fact } of facts) {
    if (stream === 'server') continue;
    const revision = next.get(stream) ?? -1;
    await store.append(stream, revision < 0 ? 'no-stream' : revision, [fact]);
    next.set(stream, revision + 1);
  }
  const whole = await factsOf(new TodaysEventStore(store, FACT_SHAPES, ROOM_PARTS));
  const rows: unknown[] = [];
  for (const projector of listProjectors()) {
    const models = new MemoryReadModels();
    await applyFacts(projector, whole, models);
    rows.push(await rowsOf(projector, models));
  }
  return rows;
}

describe('a copy that did not come to its end', () => {
  /** Copies until so many facts were looked at. */
  async function copyPart(facts: number): Promise<void> {
    const abort = new AbortController();
    let seen = 0;
    const onFact = (): void => {
      if (++seen === facts) abort.abort();
    };
    await within(
      () => embedded(folder.path),
      (source) =>
        within(
          () => openLmdbEventStore(join(other, 'log')),
          async (target) => {
            const copying = copyLog({
              source,
              target,
              name: 'it',
              atOnce: 4,
              clock: systemClock,
              signal: abort.signal,
              onFact,
            });
            await expect(copying).rejects.toThrow('interrupted');
          },
        ),
    );
  }

  test.each([1, 5, 12, 30])('is served by nobody, and goes on where it was (after %i facts)', async (facts) => {
    await copyPart(facts);
    if (facts > 5)
      await expect(openOwnLog(testInstallation(other).config, systemClock)).rejects.toThrow('did not come to its end');
    expect(await copyTo(other)).toBe(EXIT.ok);
    const [all, copied] = await Promise.all([folder.path, other].map((path) => within(() => embedded(path), factsOf)));
    expect(comparable(copied!)).toEqual(comparable(all!));
    expect(
      await within(
        () => embedded(other),
        (store) => findingsIn(store, true),
      ),
    ).toEqual([]);
  });

  test('takes what came since it was complete, and what was erased and truncated since goes from it too', async () => {
    await copyTo(other);
    await folder.write(async (store) => {
      const facts = await factsOf(store);
      const said = facts.find(({ data }) => data.includes('message 3'))!;
      await store.erase(
        said.stream,
        said.revision,
        said.data.slice(said.metadata.erasable).replace('message 3', 'gone'),
      );
      await store.truncate('device-x', 5);
      await store.append(
        'device-x',
        5,
        sealFacts(facts.findLast(({ stream }) => stream === 'device-x')!.metadata.chain, [
          { id: randomUUID(), type: 'something', data: '[]', at: 1, actor: 'server' },
        ]),
      );
    });
    expect(await copyTo(other)).toBe(EXIT.ok);
    expect(await copyTo(other)).toBe(EXIT.ok);
    const [all, copied] = await Promise.all([folder.path, other].map((path) => within(() => embedded(path), factsOf)));
    expect(comparable(copied!)).toEqual(comparable(all!));
    expect(readFileSync(join(other, 'log/data.mdb')).includes('message 3')).toBe(false);
    const { store } = await openOwnLog(testInstallation(other).config, systemClock);
    await store.close();
  });
});

describe('nothing is copied', () => {
  test('onto a log that is no copy, or one that has gone its own way', async () => {
    const another = new DataFolder();
    await another.fill();
    await expect(copyTo(another.path)).rejects.toThrow('is no copy of this log: it holds a log of a.example already');
    another.remove();
    await copyTo(other);
    await within(
      () => openLmdbEventStore(join(other, 'log')),
      (store) =>
        store.append(
          'user-@new:a.example',
          'no-stream',
          sealFacts(undefined, [{ id: randomUUID(), type: 'something', data: '[]', at: 1, actor: 'server' }]),
        ),
    );
    await expect(copyTo(other)).rejects.toThrow('from user-@new:a.example revision 0 on it holds something else');
    await expect(copyTo(folder.path)).rejects.toThrow('is the log itself');
  });

  test('from the first fact on whose chain does not hold, which is named', async () => {
    await folder.write(async (store) => {
      const wrong = sealFacts('0'.repeat(64), [
        { id: randomUUID(), type: 'something', data: '[]', at: 1, actor: 'server' },
      ]);
      await store.append('device-y', 'no-stream', wrong);
      await store.append(
        'device-z',
        'no-stream',
        sealFacts(undefined, [{ id: randomUUID(), type: 'something', data: '[]', at: 1, actor: 'server' }]),
      );
    });
    await expect(copyTo(other)).rejects.toThrow(/^device-y revision 0, at position \d+: the chain does not hold/);
    const copied = await within(() => embedded(other), factsOf);
    expect(copied.some(({ stream }) => stream === 'device-y' || stream === 'device-z')).toBe(false);
    await expect(openOwnLog(testInstallation(other).config, systemClock)).rejects.toThrow('did not come to its end');
  });

  test('of a log that is damaged; it says so, and not that it is to be run again', async () => {
    const installation = testInstallation(folder.path);
    const openAnyLogToRead = async (): Promise<EventStore> => {
      const store = await installation.openAnyLogToRead();
      store.readAll = () => {
        throw new LogDamaged('row 7 of facts is not as it was written');
      };
      return store;
    };
    const copying = copyTo(other, { ...installation, openAnyLogToRead });
    await expect(copying).rejects.toMatchObject({
      exitCode: EXIT.found,
      message: expect.stringMatching(/row 7 of facts is not as it was written; "annals verify" tells more$/),
    });
  });
});
