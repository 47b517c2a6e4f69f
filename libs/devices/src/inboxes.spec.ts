import { describe, expect, it, vi } from 'vitest';
import type { ReadStreamOptions, RecordedFact } from '#event-store/event-store';
import { SERVER_STREAM } from '#event-store/log-identity';
import { systemClock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { applyFacts, recordFacts } from '#testing/project';
import { UncertainEventStore } from '#testing/uncertain-event-store';
import type { DeviceKey } from './facts/device-streams.js';
import { inboxStream } from './facts/to-device-facts.js';
import { Inboxes, type MessagePlace } from './inboxes.js';
import { INBOX, inboxProjector } from './projections/inbox.projector.js';

const BOB: DeviceKey = ['@bob:a.example' as UserId, 'B' as DeviceId];

/** A log that is away the first time that it is asked whose it is. */
class LogAwayAtFirst extends MemoryEventStore {
  #isAway = true;

  override readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedFact> {
    if (stream !== SERVER_STREAM || !this.#isAway) return super.readStream(stream, options);
    this.#isAway = false;
    throw new Error('the log is away');
  }
}

/** Three messages wait, at positions 1 to 3. */
async function withThree(): Promise<MemoryReadModels> {
  const views = new MemoryReadModels();
  const head = { type: 'm.test', txn: 't' };
  const sent = {
    stream: 'sent-@alice:a.example|A',
    type: 'to-device-sent',
    data: { ...head, to: [[...BOB, 0]], contents: [{}] },
    erasable: JSON.stringify(head).length,
  };
  await applyFacts(inboxProjector, recordFacts([sent, sent, sent]), views);
  return views;
}

const notes = async (log: MemoryEventStore): Promise<unknown[]> => {
  const found: unknown[] = [];
  for await (const { type, data } of log.readStream(inboxStream(BOB))) found.push([type, JSON.parse(data).up_to]);
  return found;
};

it('what a device has is noted once the log can be read again, whatever it was asked for before', async () => {
  const log = new LogAwayAtFirst();
  const inboxes = new Inboxes(log, systemClock, await withThree());
  await expect(inboxes.expire(BOB, positionOf(1), 'age')).rejects.toThrow('the log is away');
  expect(await inboxes.expire(BOB, positionOf(1), 'age')).toBe(1);
  expect(await notes(log)).toEqual([['to-device-expired', positionOf(1)]]);
});

it('what a device has and could not be noted is noted when it comes the next time', async () => {
  const log = new UncertainEventStore();
  const inboxes = new Inboxes(log, systemClock, await withThree());
  log.breakNext('never done');
  inboxes.noteArrival(BOB, positionOf(1));
  expect(inboxes.arrivedUpTo(BOB)).toBe(positionOf(1));
  await new Promise(setImmediate);
  expect(await notes(log)).toEqual([]);
  inboxes.noteArrival(BOB, positionOf(2));
  await expect.poll(() => notes(log)).toEqual([['to-device-collected', positionOf(2)]]);
});

it('what another server has is noted together, some seconds later or as the process ends', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const log = new MemoryEventStore();
    const inboxes = new Inboxes(log, systemClock, await withThree());
    for (const n of [1, 2]) inboxes.noteDelivered(BOB, positionOf(n));
    await new Promise(setImmediate);
    expect(await notes(log)).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    await expect.poll(() => notes(log)).toEqual([['to-device-collected', positionOf(2)]]);
    inboxes.noteDelivered(BOB, positionOf(3));
    await inboxes.onModuleDestroy();
    expect((await notes(log)).at(-1)).toEqual(['to-device-collected', positionOf(3)]);
  } finally {
    vi.useRealTimers();
  }
});

describe('what an application service has for a device', () => {
  const SENT = 'sent-@alice:a.example|A';
  const message = (n: number): MessagePlace => ({ stream: SENT, revision: n - 1, position: positionOf(n) });
  /** Notes that it has some messages, and answers which wait then, and which facts say so. */
  const handOver = async (log: MemoryEventStore, ...sent: readonly number[]): Promise<[string[], unknown[]]> => {
    const views = await withThree();
    const inboxes = new Inboxes(log, systemClock, views);
    for (const n of sent) inboxes.noteHandedOver(BOB, [message(n)]);
    await inboxes.onModuleDestroy();
    const said = log.facts.filter(({ stream }) => stream === inboxStream(BOB));
    await applyFacts(inboxProjector, said, views);
    const waiting = await INBOX.scan(views, { prefix: BOB, limit: 10 });
    return [waiting.map(({ key }) => key[2]), said.map(({ data }) => JSON.parse(data) as unknown)];
  };

  it('is taken together where nothing else waits before it', async () => {
    const [waiting, said] = await handOver(new MemoryEventStore(), 2, 1);
    expect(waiting).toEqual([positionOf(3)]);
    expect(said).toEqual([{ up_to: positionOf(2), log_id: null, from: { [SENT]: [0, 1] } }]);
  });

  it('is taken alone behind what the service was not sent, which waits on', async () => {
    const [waiting, said] = await handOver(new MemoryEventStore(), 1, 3);
    expect(waiting).toEqual([positionOf(2)]);
    expect(said.at(-1)).toEqual({ up_to: positionOf(1), log_id: null, from: { [SENT]: [2] }, alone: true });
  });

  it('is noted with the next where it could not be', async () => {
    const log = new UncertainEventStore();
    log.breakNext('never done');
    const views = await withThree();
    const inboxes = new Inboxes(log, systemClock, views);
    inboxes.noteHandedOver(BOB, [message(1)]);
    await inboxes.onModuleDestroy();
    expect(await notes(log)).toEqual([]);
    inboxes.noteHandedOver(BOB, [message(2)]);
    await inboxes.onModuleDestroy();
    expect(await notes(log)).toEqual([['to-device-collected', positionOf(2)]]);
  });
});

it('nothing is noted of a device that was told of nothing since it came last', async () => {
  const log = new MemoryEventStore();
  const inboxes = new Inboxes(log, systemClock, await withThree());
  inboxes.noteArrival(BOB, positionOf(1));
  await expect.poll(() => notes(log)).toHaveLength(1);
  inboxes.noteArrival(BOB, positionOf(2));
  inboxes.noteTold(BOB, positionOf(3));
  inboxes.noteArrival(BOB, positionOf(2));
  await new Promise(setImmediate);
  expect(await notes(log)).toHaveLength(1);
  inboxes.noteArrival(BOB, positionOf(3));
  await expect.poll(() => notes(log)).toHaveLength(2);
});

it('what another process has noted already stays so: only the last fact counts, and it names the furthest place', async () => {
  const [log, views] = [new MemoryEventStore(), await withThree()];
  const [one, another] = [new Inboxes(log, systemClock, views), new Inboxes(log, systemClock, views)];
  await one.expire(BOB, positionOf(1), 'age');
  await another.expire(BOB, positionOf(3), 'age');
  await one.expire(BOB, positionOf(2), 'age');
  expect((await notes(log)).at(-1)).toEqual(['to-device-expired', positionOf(3)]);
});

it('what is crowded out changes nothing of the place that an inbox is emptied up to', async () => {
  const log = new MemoryEventStore();
  const inboxes = new Inboxes(log, systemClock, await withThree());
  await inboxes.expire(BOB, positionOf(1), 'age');
  await inboxes.crowdOut(BOB, [{ stream: 'sent-@alice:a.example|A', revision: 2 }], 'number');
  expect(await notes(log)).toEqual([
    ['to-device-expired', positionOf(1)],
    ['to-device-crowded-out', positionOf(1)],
  ]);
});

it('what a device was told of is noted when it comes from behind that, and not before', async () => {
  const log = new MemoryEventStore();
  const inboxes = new Inboxes(log, systemClock, await withThree());
  inboxes.noteArrival(BOB, positionOf(1));
  await expect.poll(() => notes(log)).toHaveLength(1);
  inboxes.noteTold(BOB, positionOf(3));
  inboxes.noteArrival(BOB, positionOf(2));
  await new Promise(setImmediate);
  expect(await notes(log)).toHaveLength(1);
  inboxes.noteArrival(BOB, positionOf(3));
  await expect.poll(() => notes(log)).toHaveLength(2);
});
