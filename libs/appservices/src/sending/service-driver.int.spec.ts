import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readRegistration } from '#config/appservices/read-registration';
import { sealFacts } from '#event-store/seal-facts';
import { LogHistory } from '#event-store/log-history';
import { systemClock } from '#kernel/clock';
import type { ServerName, UserId } from '#kernel/ids';
import { START } from '#kernel/position';
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
});

function run(notes = new ServiceNotes(store, systemClock)): ServiceDriver {
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
  } as unknown as DriverParts;
  const driver = new ServiceDriver(
    readRegistration(registrationText({ url: service.url }), 'a.example' as ServerName),
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
  const write = (facts: readonly { data: string }[]): string => `{"events":[${facts.map(({ data }) => data).join()}]}`;
  return {
    write: async (_, facts) => write(facts),
    writeAgain: async (_, { streams, events }) => {
      const facts = events.map(([at, revision]) =>
        store.facts.find((fact) => fact.stream === streams[at] && fact.revision === revision)!,
      );
      return { facts, body: write(facts) };
    },
  };
}

/** Something happens that the service is to hear of. */
async function happens(name: string): Promise<void> {
  const stream = elsewhereStream('@_bridge_ghost:a.example' as UserId);
  const before = store.facts.findLast((fact) => fact.stream === stream);
  const draft = { id: name, type: 'membership-told', data: JSON.stringify({ event_id: name }), at: 0, actor: 'server' };
  await store.append(stream, before?.revision ?? 'no-stream', sealFacts(before?.metadata.chain, [draft]));
  for (const { driver } of running) driver.reach(await store.head());
}

const heard = (name: string): Promise<unknown> =>
  service.until(() => service.events.some(({ event_id: id }) => id === name));
const idsOf = (name: string): string[] =>
  service.transactions.filter(({ text }) => text.includes(name)).map(({ id }) => id);
const isNoted = (type: string, number: number): Promise<void> =>
  vi.waitFor(async () =>
    expect(await new ServiceNotes(store, systemClock).find('bridge')).toMatchObject({ type, data: { number } }),
  );

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
    await vi.waitFor(() => expect(warned.join()).toContain('noted elsewhere'));
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
    await vi.waitFor(() => expect(driver.refused).toBeDefined());
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
});
