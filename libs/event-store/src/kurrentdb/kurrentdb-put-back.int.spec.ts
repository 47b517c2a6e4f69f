import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Position, START } from '#kernel/position';
import { type KurrentStandIn, startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import type { StandInLog } from '#testing/kurrentdb-stand-in/stand-in-log';
import type { EventStore } from '../event-store.js';
import { LogPutBack } from '../event-store-errors.js';
import { someFacts } from '../store-under-test.js';
import { openKurrentEventStore } from './kurrentdb-event-store.js';

let server: KurrentStandIn;
let store: EventStore;
let told: Error[];

afterEach(async () => {
  await store.close();
  await server.close();
});

async function open(): Promise<void> {
  server = await startKurrentStandIn();
  told = [];
  store = await openKurrentEventStore(server.url, { onPutBack: (error) => told.push(error) });
}

/** Ends the server and starts it again over another copy of its database. */
async function startAgain(log: StandInLog): Promise<void> {
  await server.close();
  server = await startKurrentStandIn({ log, port: server.port });
}

/** Follows the log. `ended` settles with what ends that. */
function follow(after: Position = START): {
  until(count: number): Promise<void>;
  stop(): void;
  ended: Promise<unknown>;
} {
  const abort = new AbortController();
  let seen = 0;
  const waiting = new Map<number, () => void>();
  const run = async (): Promise<void> => {
    for await (const batch of store.subscribe({ after, signal: abort.signal })) {
      seen += batch.length;
      for (const [count, settle] of waiting) if (seen >= count) settle();
    }
  };
  return {
    until: (count) => new Promise((resolve) => (seen >= count ? resolve() : waiting.set(count, resolve))),
    stop: () => abort.abort(),
    ended: run().catch((error: unknown) => error),
  };
}

/** Follows a log with two facts in a copy of it, and three more since. */
async function followPastCopy(): Promise<{ copy: StandInLog; followed: ReturnType<typeof follow> }> {
  await open();
  await store.append('a', 'no-stream', someFacts(2));
  const copy = server.log.copy();
  await store.append('a', 1, someFacts(3));
  const followed = follow();
  await followed.until(5);
  return { copy, followed };
}

describe('a subscription to a server whose database is put back to an older copy', () => {
  it('ends and says so, where it had been told of more', async () => {
    const { copy, followed } = await followPastCopy();
    await startAgain(copy);
    expect(await followed.ended).toBeInstanceOf(LogPutBack);
    expect(told).toEqual([expect.any(LogPutBack)]);
  }, 60_000);

  it('ends, where the log has grown past what was lost by then', async () => {
    const { copy, followed } = await followPastCopy();
    await server.close();
    const other = await startKurrentStandIn({ log: copy });
    const writer = await openKurrentEventStore(other.url);
    await writer.append('a', 1, someFacts(8));
    await writer.close();
    await other.close();
    await startAgain(copy);
    expect(await followed.ended).toBeInstanceOf(LogPutBack);
  }, 60_000);

  it('ends, where it had been told of nothing and went on after what is lost', async () => {
    await open();
    await store.append('a', 'no-stream', someFacts(2));
    const copy = server.log.copy();
    const { position } = await store.append('b', 'no-stream', someFacts(1));
    const followed = follow(position);
    while (server.log.listenerCount('appended') === 0) await delay(20);
    await startAgain(copy);
    expect(await followed.ended).toBeInstanceOf(LogPutBack);
  }, 60_000);

  it('goes on where the server has all that it had', async () => {
    await open();
    await store.append('a', 'no-stream', someFacts(2));
    const followed = follow();
    await followed.until(2);
    await startAgain(server.log.copy());
    await store.append('a', 1, someFacts(2));
    await followed.until(4);
    followed.stop();
    expect([await followed.ended, told]).toEqual([undefined, []]);
  }, 60_000);
});
