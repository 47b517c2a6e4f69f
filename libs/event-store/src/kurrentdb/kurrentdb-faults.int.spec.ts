import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type KurrentStandIn, systemEvent } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { startKurrentCluster } from '#testing/kurrentdb-stand-in/stand-in-cluster';
import { DEFAULT_APPEND_BYTES } from '#testing/kurrentdb-stand-in/stand-in-log';
import { closeAll, closing, factsIn, follow, open, start } from '../../test/kurrent-servers.js';
import type { EventStore } from '../event-store.js';
import { AppendTooLarge, EventStoreUnavailable } from '../event-store-errors.js';
import { someFact, someFacts } from '../store-under-test.js';

afterEach(closeAll);

/** How long something takes, in milliseconds. */
async function timed(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work;
  return performance.now() - began;
}

/** Tells how long this process was held at most: what a starved machine takes longer for says nothing. */
function watchStarvation(): { worstMs(): number } {
  let [last, worst] = [performance.now(), 0];
  const timer = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - last - 50);
    last = now;
  }, 50);
  closing.push({ close: async () => clearInterval(timer) });
  return { worstMs: () => worst };
}

describe('a cluster that loses its leader', () => {
  const SENDERS = 32;
  const EACH = 4;

  it.each(['killLeader', 'freezeLeader'] as const)(
    'goes on within ten seconds without that node, loses nothing and doubles nothing: %s',
    async (lose) => {
      const cluster = await startKurrentCluster({ maxAppendBytes: DEFAULT_APPEND_BYTES });
      closing.push(cluster);
      const stray: unknown[] = [];
      const onStray = (reason: unknown): void => void stray.push(reason);
      process.on('unhandledRejection', onStray);
      closing.push({ close: async () => void process.off('unhandledRejection', onStray) });
      // How fast a busy machine is, is not the subject here; what is measured is measured below.
      const store = await open(cluster.url, { patienceMs: 40_000 });
      const followed = follow(store);
      await store.append('a', 'no-stream', someFacts(2));
      await followed.until(2);
      const starvation = watchStarvation();
      const losing = cluster[lose](1500);
      const ids: string[] = [];
      // More than the connection and the library's queue hold.
      const large = JSON.stringify('x'.repeat(20_000));
      const sending = Promise.all(
        Array.from({ length: SENDERS }, async (_, sender) => {
          for (let i = 0; i < EACH; i++) {
            const fact = someFact(large);
            ids.push(fact.id);
            await store.append(`s${sender}`, i === 0 ? 'no-stream' : i - 1, [fact]);
          }
        }),
      );
      const took = await timed(sending);
      if (starvation.worstMs() < 500) expect(took).toBeLessThan(10_000);
      const seen = await followed.until(2 + SENDERS * EACH);
      await losing;
      expect(seen).toHaveLength(2 + SENDERS * EACH);
      expect(new Set(seen.map(({ id }) => id))).toEqual(new Set([...seen.slice(0, 2).map(({ id }) => id), ...ids]));
      expect(await factsIn(store, 's0')).toHaveLength(EACH);
      expect((await store.findLast())?.position).toBe(seen.at(-1)?.position);
      // What was lost comes back as a follower, with what it had still to do.
      await cluster.revive();
      await store.append('a', 1, someFacts(1));
      expect(await followed.until(3 + SENDERS * EACH)).toHaveLength(3 + SENDERS * EACH);
      expect(stray).toEqual([]);
    },
    60_000,
  );
});

describe('a cluster whose leader has resigned', () => {
  it('is found by way of any of its nodes', async () => {
    const cluster = await startKurrentCluster();
    closing.push(cluster);
    cluster.resignLeader();
    const [, hosts = ''] = /\/\/(.*)\?/.exec(cluster.url) ?? [];
    const store = await open(`kurrentdb://${hosts.split(',')[0]}?tls=false`);
    const followed = follow(store);
    await store.append('a', 'no-stream', someFacts(2));
    expect(await factsIn(store, 'a')).toHaveLength(2);
    expect(await followed.until(2)).toHaveLength(2);
  }, 30_000);
});

describe('a server on which others write much', () => {
  const FOREIGN = 1200;

  /** A server that searches longer through what others wrote than a reading may be silent. */
  async function startShared(store: (url: string) => Promise<EventStore>): Promise<[KurrentStandIn, EventStore]> {
    const server = await start();
    const opened = await store(server.url);
    await opened.append('a', 'no-stream', someFacts(2));
    writeForeign(server);
    server.faults.searchPauseMs = 600;
    return [server, opened];
  }

  function writeForeign({ log }: KurrentStandIn): void {
    for (let i = 0; i < FOREIGN; i++) log.append('of-others', 'any', [systemEvent('something')]);
  }

  it('is not taken for silent while it searches for the last fact, and searches for it once', async () => {
    const [server, store] = await startShared(open);
    const head = await store.head();
    expect((await factsIn(store, 'a')).at(-1)?.position).toBe(head);
    const { searched } = server;
    expect(searched).toBeGreaterThanOrEqual(FOREIGN);
    expect(await store.head()).toBe(head);
    const { position } = await store.append('a', 1, someFacts(1));
    expect(await store.head()).toBe(position);
    expect(server.searched - searched).toBeLessThan(10);
  }, 60_000);

  it('is followed, and searched once only, however often the subscription ends', async () => {
    const [server, store] = await startShared(open);
    const followed = follow(store);
    await followed.until(2);
    await store.append('a', 1, someFacts(1));
    await followed.until(3);
    const { searched } = server;
    expect(searched).toBeLessThan(1.5 * FOREIGN);
    server.dropSubscriptions();
    await store.append('a', 2, someFacts(1));
    await followed.until(4);
    expect(server.searched - searched).toBeLessThan(10);
  }, 60_000);

  it('is followed on behind what others wrote meanwhile, which is not searched again', async () => {
    const server = await start();
    const store = await open(server.url);
    const followed = follow(store);
    await store.append('a', 'no-stream', someFacts(1));
    await followed.until(1);
    for (let i = 0; i < 5; i++) {
      writeForeign(server);
      await delay(200);
    }
    await delay(1000);
    const { searched } = server;
    server.dropSubscriptions();
    await store.append('a', 0, someFacts(1));
    expect((await followed.until(2)).map(({ revision }) => revision)).toEqual([0, 1]);
    expect(server.searched - searched).toBeLessThan(2 * FOREIGN);
  }, 60_000);
});

describe('a server with faults', () => {
  it('is read through a new connection where the old one is answered "unavailable" for ever', async () => {
    const server = await start();
    const store = await open(server.url);
    await store.append('a', 'no-stream', someFacts(3));
    server.deafenReaders();
    expect(await factsIn(store, 'a')).toHaveLength(3);
    expect(await timed(store.head())).toBeLessThan(1000);
  });

  it('is given up within ten seconds where readings are silent, and read again once they are not', async () => {
    const server = await start();
    const lost: string[] = [];
    const back: number[] = [];
    const store = await open(server.url, { onLost: (why) => lost.push(why), onBack: (ms) => back.push(ms) });
    await store.append('a', 'no-stream', someFacts(3));
    server.faults.silentReads = true;
    expect(await timed(expect(factsIn(store, 'a')).rejects.toThrow(EventStoreUnavailable))).toBeLessThan(10_000);
    // Known to be lost: the next one does not wait as long.
    expect(await timed(expect(store.head()).rejects.toThrow(EventStoreUnavailable))).toBeLessThan(2500);
    server.faults.silentReads = false;
    expect(await factsIn(store, 'a')).toHaveLength(3);
    expect([lost.length, back.length]).toEqual([1, 1]);
  }, 20_000);

  it('is lost, which is said once, where it does not take the password any more, and back once it does', async () => {
    const server = await start();
    const said: string[] = [];
    const watch = { onLost: (reason: string) => said.push(reason), onBack: () => said.push('back') };
    const store = await open(server.url, watch);
    await store.append('a', 'no-stream', someFacts(1));
    server.faults.refusesAll = true;
    await expect(factsIn(store, 'a')).rejects.toThrow(EventStoreUnavailable);
    await expect(store.head()).rejects.toThrow(EventStoreUnavailable);
    server.faults.refusesAll = false;
    expect(await factsIn(store, 'a')).toHaveLength(1);
    expect(said).toEqual(['it does not take the user and the password', 'back']);
  });

  it('tells what is appended although its subscriptions have fallen silent', async () => {
    const server = await start();
    const store = await open(server.url);
    const followed = follow(store);
    await store.append('a', 'no-stream', someFacts(1));
    await followed.until(1);
    server.faults.silentSubscriptions = true;
    await store.append('a', 0, someFacts(2));
    expect(await timed(followed.until(3))).toBeLessThan(10_000);
    await store.append('a', 2, someFacts(2));
    server.faults.silentSubscriptions = false;
    expect((await followed.until(5)).map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4]);
  }, 30_000);

  it('has carried out once what it never answered', async () => {
    const server = await start();
    const store = await open(server.url);
    server.faults.unansweredAppends = 1;
    const facts = someFacts(2);
    const appended = await store.append('a', 'no-stream', facts);
    expect(appended.position).toBe(await store.head());
    expect((await factsIn(store, 'a')).map(({ id }) => id)).toEqual(facts.map(({ id }) => id));
  }, 20_000);

  it('has carried out once what it answers after we have asked again', async () => {
    const server = await start();
    const store = await open(server.url);
    server.faults.answerAfterMs = 3000;
    const appending = store.append('a', 'no-stream', someFacts(2));
    await delay(2000);
    server.faults.answerAfterMs = 0;
    await appending;
    expect(await factsIn(store, 'a')).toHaveLength(2);
  }, 20_000);

  it('names what it takes at most, and has taken nothing of what is more', async () => {
    const server = await start({ maxAppendBytes: DEFAULT_APPEND_BYTES });
    const store = await open(server.url);
    const large = someFact(JSON.stringify('x'.repeat(DEFAULT_APPEND_BYTES)));
    const error = await store.append('a', 'no-stream', [large]).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(AppendTooLarge);
    expect(error).toMatchObject({ limit: DEFAULT_APPEND_BYTES });
    expect(await factsIn(store, 'a')).toEqual([]);
    await store.append('a', 'no-stream', someFacts(1));
  });

  it('is asked for no position that it has not given', async () => {
    const server = await start();
    const store = await open(server.url);
    const followed = follow(store);
    for (let i = 0; i < 5; i++) await store.append('a', i === 0 ? 'no-stream' : i - 1, someFacts(1));
    await followed.until(5);
    server.dropSubscriptions();
    await store.append('a', 4, someFacts(1));
    const seen = await followed.until(6);
    for (const { position } of seen) for await (const _ of store.readAll({ after: position })) break;
    expect(await store.findLast()).toEqual(seen.at(-1));
    expect(server.unknownPositions).toBe(0);
  });
});
