import { setTimeout as delay } from 'node:timers/promises';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
// oxlint-disable-next-line annals/imports-go-downwards -- a faulty network before a database, and nothing of ours
import { MongoProxy } from '#testing/mongo-proxy';
import { type Answer, type Client, Homeserver, type HomeserverOptions } from './support/homeserver.js';

const mongo = process.env['ANNALS_READ_MODELS_URL'];

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function begin(env: HomeserverOptions['env']): Promise<{ server: Homeserver; lines: () => string[] }> {
  const server = new Homeserver({ env: { ...env, ANNALS_LOG: 'info' }, stdout: 'pipe' });
  closing.push(() => server.remove());
  await server.start();
  let text = '';
  server.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { server, lines: () => text.split('\n').filter((line) => line !== '') };
}

async function untilHealth(server: Homeserver, status: number, withinMs: number): Promise<Answer> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const health = await server.request('GET', '/health');
    if (health.status === status) return health;
    if (performance.now() > deadline) throw new Error(`/health is ${health.status} ${health.text}`);
    await delay(100);
  }
}

async function bodiesIn(alice: Client, room: string): Promise<string[]> {
  const { chunk } = await alice.ok('GET', `/rooms/${encodeURIComponent(room)}/messages?dir=f&limit=500`);
  return chunk
    .filter(({ type }: { type: string }) => type === 'm.room.message')
    .map(({ content }: { content: { body: string } }) => content.body);
}

describe.skipIf(mongo === undefined)(
  'a server whose views are in MongoDB (where ANNALS_READ_MODELS_URL names one)',
  () => {
    it.each(['goAway', 'fallSilent'] as const)(
      'sends on while it is lost, reads or says 503, tells of it once, and lacks nothing afterwards: %s',
      async (fault) => {
        const url = new URL(mongo!);
        url.pathname = `/annals_e2e_away_${process.pid}_${fault}`;
        const proxy = await MongoProxy.begin(url.href);
        closing.push(() => proxy.end());
        const { server, lines } = await begin({ ANNALS_READ_MODELS_URL: proxy.url });
        const alice = await server.register('alice');
        const room = await alice.createRoom();
        await alice.send(room, 'before');
        proxy[fault]();
        const began = performance.now();
        const sending = Promise.all(['a', 'b', 'c'].map((body) => alice.send(room, body)));
        const reading = alice.request('GET', `/rooms/${encodeURIComponent(room)}/messages?dir=f`);
        // Within ten seconds, and what a busy machine adds.
        const health = await untilHealth(server, 503, 15_000);
        expect(health.body.errors).toEqual([expect.stringMatching(/^The views cannot be reached or written: ./)]);
        expect((await server.request('GET', '/metrics')).text).toContain('annals_views_failed 1');
        await sending;
        const { status, body } = await reading;
        expect([status, body.errcode]).toEqual([503, 'M_UNKNOWN']);
        expect(performance.now() - began).toBeLessThan(20_000);
        await alice.send(room, 'd');
        proxy.comeBack();
        // Mostly within three seconds; on a busy machine twenty were not enough once.
        expect((await untilHealth(server, 200, 60_000)).body.errors).toEqual([]);
        await alice.send(room, 'after');
        expect((await bodiesIn(alice, room)).toSorted()).toEqual(['a', 'after', 'b', 'before', 'c', 'd']);
        expect(lines().filter((line) => line.includes('the views are lost'))).toHaveLength(1);
        expect(lines().filter((line) => line.includes('the views are back'))).toHaveLength(1);
        expect(lines().filter((line) => line.includes('"stack"') || line.includes('"level":50'))).toHaveLength(1);
        expect(lines().filter((line) => line.includes('skipped'))).toEqual([]);
      },
      120_000,
    );
  },
);

describe.skipIf(mongo === undefined)(
  'a server whose database of views is dropped (where ANNALS_READ_MODELS_URL names one)',
  () => {
    it('ends with one line, and has all of it again after the next start', async () => {
      const url = new URL(mongo!);
      url.pathname = `/annals_e2e_dropped_${process.pid}`;
      const { server, lines } = await begin({ ANNALS_READ_MODELS_URL: url.href });
      const alice = await server.register('alice');
      const room = await alice.createRoom();
      await alice.send(room, 'before');
      const database = await new MongoClient(url.href).connect();
      closing.push(() => database.close());
      closing.push(() => database.db().dropDatabase());
      await database.db().dropDatabase();
      // In the log, whatever becomes of the answer.
      await alice.send(room, 'after').catch(() => {});
      const { pid } = server;
      for (let i = 0; i < 200 && isRunning(pid); i++) await delay(100);
      expect(await server.end()).toBe(1);
      expect(lines().filter((line) => JSON.parse(line).level >= 40)).toEqual([
        expect.stringContaining('the views were thrown away while the server runs: ending'),
      ]);
      await server.start();
      expect(await bodiesIn(alice, room)).toEqual(['before', 'after']);
      expect(await server.end()).toBe(0);
    }, 120_000);
  },
);

describe.skipIf(mongo === undefined)(
  'a server whose database of views another server writes to (where ANNALS_READ_MODELS_URL names one)',
  () => {
    it('ends with one line and with 78, and the other one goes on', async () => {
      const url = new URL(mongo!);
      url.pathname = `/annals_e2e_taken_${process.pid}`;
      const { server: first, lines } = await begin({ ANNALS_READ_MODELS_URL: url.href });
      const alice = await first.register('alice');
      const second = new Homeserver({ env: { ANNALS_READ_MODELS_URL: url.href } });
      closing.push(() => second.remove());
      await expect(second.start()).rejects.toThrow('the server ended with 78');
      expect((await alice.request('GET', '/account/whoami')).status).toBe(200);
      expect(lines().filter((line) => JSON.parse(line).level >= 40)).toEqual([]);
    }, 120_000);
  },
);

function isRunning(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a server whose views are deleted while it runs', () => {
  it('goes on, says so once and in its health, and has all of it again after the next start', async () => {
    const { server, lines } = await begin({});
    const alice = await server.register('alice');
    const room = await alice.createRoom();
    await alice.send(room, 'before');
    rmSync(join(server.directory, 'views'), { recursive: true });
    await alice.send(room, 'after');
    expect(await bodiesIn(alice, room)).toEqual(['before', 'after']);
    const deadline = performance.now() + 15_000;
    const warnings = async (): Promise<string[]> => (await server.request('GET', '/health')).body.warnings;
    while ((await warnings()).length === 0 && performance.now() < deadline) await delay(100);
    expect(await warnings()).toEqual([expect.stringContaining('The views were deleted')]);
    expect(lines().filter((line) => line.includes('The views were deleted'))).toHaveLength(1);
    expect(await server.end()).toBe(0);
    await server.start();
    expect(await bodiesIn(alice, room)).toEqual(['before', 'after']);
    expect(await warnings()).toEqual([]);
  }, 120_000);
});
