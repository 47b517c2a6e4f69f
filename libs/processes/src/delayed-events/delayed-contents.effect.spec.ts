import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TokenRights } from '#accounts/sessions/token-rights';
import type { Consents } from '#accounts/terms/consents';
import { DelayedEvents } from '#calls/delayed-events';
import { DELAYS_OF_USERS, delayedEventsProjector } from '#calls/projections/delayed-events.projector';
import { listDelayedEvents } from '#calls/queries/list-delayed-events';
import { AppServices } from '#config/appservices/app-services';
import type { Config } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import type { RoomId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { BatchRows } from '#projections/batch-rows';
import type { Views } from '#projections/views';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { DelayedContents } from './delayed-contents.effect.js';

const alice = { userId: '@alice:a.example' as UserId, deviceId: 'PHONE', isAdmin: false, requestId: 'r' } as Requester;
const STREAM = `delayed-${alice.userId}`;
const DAY = 24 * 60 * 60_000;
/** How long it is told what became of an event, and of how many. */
const [KEPT_MS, KEPT] = [7 * DAY, 100];

let store: MemoryEventStore;
let rows: BatchRows;
let delayed: DelayedEvents;
let effect: DelayedContents;
let hasHeld: boolean;

beforeEach(() => {
  vi.useFakeTimers({ now: 100 * DAY });
  store = new MemoryEventStore();
  rows = new BatchRows(
    new MemoryReadModels(),
    new Map([...delayedEventsProjector.collections, 'accounts'].map((name) => [name, name])),
  );
  const views = Object.assign(rows, { whenProcessed: () => Promise.resolve() }) as unknown as Views;
  const clock = { now: () => Date.now() };
  const limits = new RateLimits({ rateLimits: false } as Config, { elapsed: () => 0 });
  const commands = { execute: async () => ({ eventId: '$sent' }) } as never;
  const rights = new TokenRights(new AppServices(), { findLink: () => undefined } as unknown as Consents);
  delayed = new DelayedEvents(store, clock, views, commands, limits, rights);
  hasHeld = true;
  const held = { now: () => (hasHeld ? Date.now() : 0) };
  effect = new DelayedContents(store, views, held, { warn: () => {} } as never);
});
afterEach(() => {
  effect.end();
  vi.useRealTimers();
});

const schedule = (secret: string): Promise<string> =>
  delayed.schedule(alice, { room_id: '!r:a.example' as RoomId, type: 'a', delay: 1000, content: `{"is":"${secret}"}` });

async function logText(): Promise<string> {
  let text = '';
  for await (const { data } of store.readStream(STREAM)) text += data;
  return text;
}

/** As the effect hears of the newest fact. */
async function hear(): Promise<void> {
  for await (const fact of store.readStream(STREAM, { backwards: true, limit: 1 })) await effect.run(fact);
}

it('the content of what was sent goes from the log at once, of what was not once nobody is told of it', async () => {
  const [sent, cancelled, waiting] = [await schedule('sent'), await schedule('cancelled'), await schedule('waiting')];
  await delayed.send(alice.userId, sent);
  await hear();
  expect(await logText()).not.toContain('"is\\":\\"sent');
  await delayed.cancel(alice.userId, cancelled);
  await hear();
  DELAYS_OF_USERS.put(rows, [alice.userId, cancelled], { ended: Date.now() });
  await effect.begin();
  await vi.advanceTimersByTimeAsync(KEPT_MS);
  expect((await logText()).split('cancelled\\"').length).toBe(2);
  await vi.advanceTimersByTimeAsync(DAY);
  const text = await logText();
  expect(text).not.toContain('cancelled\\"');
  expect(text).toContain('waiting\\"');
  // What is left can be read: the event as it was, without its content.
  expect((await delayed.of(alice.userId)).get(waiting)).toBeDefined();
  const others = new DelayedEvents(
    store,
    { now: () => Date.now() },
    rows as unknown as Views,
    {} as never,
    {} as never,
    {} as never,
  );
  expect((await others.of(alice.userId)).get(cancelled)?.event).toMatchObject({ delay_id: cancelled, type: 'a' });
});

it('stays while the clock may have jumped ahead, however long, and goes then', async () => {
  const cancelled = await schedule('cancelled');
  await delayed.cancel(alice.userId, cancelled);
  await hear();
  DELAYS_OF_USERS.put(rows, [alice.userId, cancelled], { ended: Date.now() });
  hasHeld = false;
  await effect.begin();
  await vi.advanceTimersByTimeAsync(KEPT_MS + 5 * DAY);
  expect(await logText()).toContain('cancelled\\"');
  hasHeld = true;
  await vi.advanceTimersByTimeAsync(DAY);
  expect(await logText()).not.toContain('cancelled\\"');
});

it('stays, and is told of, though others ended while the clock was years ahead', async () => {
  const [before, meanwhile] = [await schedule('before'), await schedule('meanwhile')];
  await delayed.cancel(alice.userId, before);
  const now = Date.now();
  vi.setSystemTime(now + 1000 * DAY);
  hasHeld = false;
  await delayed.cancel(alice.userId, meanwhile);
  await hear();
  vi.setSystemTime(now);
  hasHeld = true;
  await hear();
  expect(await logText()).toContain('before\\"');
  const request = { orderBy: 'send_ts', direction: 'f', since: 0 } as const;
  const { delays } = listDelayedEvents(await delayed.of(alice.userId), request, now);
  expect(delays.map(({ event }) => event.delay_id)).toContain(before);
});

it('so does that of one for which so many have ended since that nobody is told of it', async () => {
  const first = await schedule('the first');
  await delayed.cancel(alice.userId, first);
  for (let i = 0; i < KEPT; i++) {
    vi.advanceTimersByTime(1);
    const id = await schedule('others');
    expect(await logText()).toContain('the first');
    await delayed.cancel(alice.userId, id);
    await hear();
  }
  expect(await logText()).not.toContain('the first');
});
