import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRegistration } from '#config/appservices/read-registration';
import { sealFacts } from '#event-store/seal-facts';
import { LogHistory } from '#event-store/log-history';
import { systemClock } from '#kernel/clock';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import { marksStream } from '#kernel/user-stream';
import type { Views } from '#projections/views';
import { elsewhereStream } from '#rooms/facts/elsewhere-facts';
import { FakeService } from '#testing/fake-service';
import { MemoryEventStore } from '#testing/memory-event-store';
import { registrationText } from '#testing/registration-file';
import { ServiceClient } from '../asking/service-client.js';
import { type DriverParts, ServiceDriver } from './service-driver.js';
import { ServiceNotes } from './service-notes.js';

let service: FakeService;
let store: MemoryEventStore;
let history: LogHistory;
const warned: string[] = [];
/** What was written first, and what is done meanwhile, once. */
const written: string[] = [];
let whileWriting: (() => void) | undefined;
/** Who types in the room that the service hears of. */
let typists: UserId[] = [];
let tellTyping: (roomId: RoomId) => void = () => {};
const HEARD = '!heard:a.example' as RoomId;
const running: { driver: ServiceDriver; ended: Promise<void> }[] = [];

beforeEach(async () => {
  service = await FakeService.start();
  store = new MemoryEventStore();
  history = LogHistory.UNBROKEN;
});
afterEach(async () => {
  for (const { driver, ended } of running.splice(0)) {
    driver.end();
    await ended;
  }
  await service.close();
  warned.length = 0;
  written.length = 0;
  whileWriting = undefined;
  typists = [];
});

function run(notes = new ServiceNotes(store, systemClock), keys: object = {}): ServiceDriver {
  const logger = { info() {}, error: fail, warn: (_: object, text: string) => warned.push(text) };
  // What is for this service is in no view, and what is written of it is another's business.
  const parts = {
    store,
    notes,
    clock: systemClock,
    client: new ServiceClient({ tlsCa: undefined }, { elapsed: () => performance.now() }),
    logger,
    views: { history, confirm: async () => {} } as unknown as Views,
    texts: textsOf(),
    collected: { take: async () => {} },
    typing: {
      onChange: (listener: typeof tellTyping) => {
        tellTyping = listener;
        return () => {};
      },
      listTyping: () => typists,
    },
    presence: { onChange: () => () => {} },
  } as unknown as DriverParts;
  const driver = new ServiceDriver(
    readRegistration(registrationText({ url: service.url, ...keys }), 'a.example' as ServerName),
    parts,
  );
  driver.reach(store.facts.at(-1)?.position ?? START);
  running.push({ driver, ended: driver.run() });
  return driver;
}

function fail(told: { err: Error }): never {
  throw told.err;
}

/** The names of what happened, in place of events. */
function textsOf(): Pick<DriverParts['texts'], 'write' | 'writeAgain'> {
  const write = (facts: readonly { data: string }[], passing: Readonly<Record<string, string>> = {}): string =>
    `{"events":[${facts.map(({ data }) => data).join()}],"ephemeral":${passing['ephemeral'] ?? '[]'}}`;
  return {
    write: async (_, facts, { passing }) => {
      whileWriting?.();
      whileWriting = undefined;
      written.push(write(facts, passing));
      return written.at(-1)!;
    },
    writeAgain: async (_, { streams, events, passing }) => {
      const facts = events.map(([at, revision]) =>
        store.facts.find((fact) => fact.stream === streams[at] && fact.revision === revision)!,
      );
      return { facts, body: write(facts, passing) };
    },
  };
}

const GHOSTS = elsewhereStream('@_bridge_ghost:a.example' as UserId);

/** Something happens that the service is to hear of; what is said then can be erased. */
async function happens(name: string, said = ''): Promise<void> {
  await append(GHOSTS, 'membership-told', { event_id: name, said });
  await reach();
}

async function append(stream: string, factType: string, data: object): Promise<void> {
  const before = store.facts.findLast((fact) => fact.stream === stream);
  const text = JSON.stringify(data);
  const draft = {
    id: text.slice(0, 50),
    type: factType,
    data: text,
    erasable: text.indexOf(','),
    at: 0,
    actor: 'server',
  };
  await store.append(stream, before?.revision ?? 'no-stream', sealFacts(before?.metadata.chain, [draft]));
}

async function reach(): Promise<void> {
  for (const { driver } of running) driver.reach(await store.head());
}

/** Two things happen at once, of which the first fills a transaction: while it is under way the second is written. */
async function twoHappen(said: string): Promise<void> {
  await append(GHOSTS, 'membership-told', { event_id: 'one', said: said.padEnd(1_000_000) });
  await append(GHOSTS, 'membership-told', { event_id: 'two', said });
  await reach();
  await expect.poll(() => written.some((text) => text.includes('"two"'))).toBe(true);
}

const heard = (name: string): Promise<unknown> =>
  service.until(() => service.events.some(({ event_id: id }) => id === name));
const idsOf = (name: string): string[] =>
  service.transactions.filter(({ text }) => text.includes(name)).map(({ id }) => id);
const isNoted = (type: string, number: number): Promise<void> =>
  expect.poll(() => new ServiceNotes(store, systemClock).find('bridge')).toMatchObject({ type, data: { number } });

/** A service that hears of a room, and of who types there. */
const HEARS = {
  receive_ephemeral: true,
  namespaces: {
    users: [{ exclusive: true, regex: '@_bridge_.*' }],
    aliases: [],
    rooms: [{ exclusive: false, regex: HEARD }],
  },
};

describe('who sends to an application service', () => {
  it('says so and goes on where another process sent to it too, and nothing has two ids or is left out', async () => {
    run();
    await isNoted('service-followed', 0);
    await happens('one');
    await isNoted('service-followed', 1);
    // A process that was only slow.
    run();
    await happens('two');
    await heard('two');
    await isNoted('service-followed', 2);
    await happens('three');
    await heard('three');
    await expect.poll(() => warned.join()).toContain('noted elsewhere');
    running.at(-1)!.driver.end();
    await happens('four');
    await heard('four');
    for (const name of ['one', 'two', 'three', 'four']) expect(new Set(idsOf(name)).size).toBe(1);
  });

  it('gives no id again that a transaction had of what was lost when the log was put back', async () => {
    const driver = run();
    await isNoted('service-followed', 0);
    await happens('kept');
    await isNoted('service-followed', 1);
    const backup = store.copy();
    await happens('lost');
    await isNoted('service-followed', 2);
    driver.end();
    await running.pop()!.ended;
    store = backup;
    history = new LogHistory([{ name: '0a1b2c3d', agreed: await store.head() }]);
    run();
    await happens('behind');
    await heard('behind');
    expect([...idsOf('kept'), ...idsOf('lost'), ...idsOf('behind')]).toEqual(['1', '2', '2-0a1b2c3d']);
  });

  it('sends a transaction that was settled before the log was put back under the id that it had', async () => {
    service.answer = () => [503, {}];
    const driver = run();
    await isNoted('service-followed', 0);
    await happens('waiting');
    await heard('waiting');
    driver.end();
    await running.pop()!.ended;
    history = new LogHistory([{ name: '0a1b2c3d', agreed: await store.head() }]);
    service.answer = () => [200, {}];
    run();
    await isNoted('service-followed', 1);
    expect(new Set(idsOf('waiting'))).toEqual(new Set(['1']));
  });

  it('tells what is refused, and goes on behind it once it is passed over', async () => {
    service.answer = ({ text }) => (text.includes('poison') ? [500, {}] : [200, {}]);
    const notes = new ServiceNotes(store, systemClock);
    const driver = run(notes);
    await isNoted('service-followed', 0);
    await happens('poison');
    await expect.poll(() => driver.refused).toBeDefined();
    await happens('behind');
    expect(driver.refused).toMatchObject({ id: '1', events: 1, reason: 'it answered 500', since: expect.any(Number) });
    await expect(notes.skip('bridge', '2')).rejects.toThrow('bridge is not being sent a transaction 2');
    await notes.skip('bridge', '1');
    driver.hear();
    await heard('behind');
    expect(idsOf('behind')).toEqual(['2']);
    await isNoted('service-followed', 2);
    expect(driver.refused).toBeUndefined();
  });

  it('passes over a part of what is told in several, and goes on behind that part', async () => {
    service.answer = ({ text }) => (text.includes('poison') ? [500, {}] : [200, {}]);
    const notes = new ServiceNotes(store, systemClock);
    const driver = run(notes, HEARS);
    await isNoted('service-followed', 0);
    for (const name of ['poison', 'behind']) {
      const receipt = { room_id: HEARD, receipt_type: 'm.read', event_id: `$${name}`.padEnd(150_000, 'x') };
      await append(marksStream(`@${name}:a.example` as UserId), 'receipt-set', receipt);
    }
    await reach();
    await expect.poll(() => driver.refused).toBeDefined();
    await notes.skip('bridge', '1');
    driver.hear();
    await service.until(() => idsOf('behind').length > 0);
    await isNoted('service-followed', 2);
    expect([new Set(idsOf('poison')), idsOf('behind')]).toEqual([new Set(['1']), ['2']]);
  });

  it('sends nothing again that has gone from the log since, nor what was written then and comes behind it', async () => {
    service.answer = ({ text }) => (text.includes('secret') ? [503, {}] : [200, {}]);
    run();
    await isNoted('service-followed', 0);
    await twoHappen('secret');
    await service.until(() => idsOf('secret').length > 0);
    for (const revision of [0, 1]) await store.erase(GHOSTS, revision, '}');
    await heard('two');
    await isNoted('service-followed', 2);
    expect([new Set(idsOf('"one"')), idsOf('"two"')]).toEqual([new Set(['1']), ['2']]);
    expect(idsOf('secret')).not.toContain('2');
  });

  it('tells what is of the moment as it is when that is sent, and not as it was while something else was under way', async () => {
    service.answer = () => [503, {}];
    const driver = run(undefined, HEARS);
    await isNoted('service-followed', 0);
    typists = ['@then:a.example' as UserId];
    whileWriting = () => tellTyping(HEARD);
    await twoHappen('');
    await expect.poll(() => driver.refused).toBeDefined();
    typists = ['@now:a.example' as UserId];
    service.answer = () => [200, {}];
    await heard('two');
    expect(written.join()).toContain('@then:');
    const { body } = service.transactions.find(({ id }) => id === '2')!;
    expect(body['ephemeral']).toEqual([{ type: 'm.typing', room_id: HEARD, content: { user_ids: typists } }]);
  });
});
