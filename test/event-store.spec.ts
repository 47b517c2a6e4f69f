import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type KurrentStandIn, startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { TestAuthority } from '#testing/test-authority';
import { startKurrentCluster } from '#testing/kurrentdb-stand-in/stand-in-cluster';
import { DEFAULT_APPEND_BYTES } from '#testing/kurrentdb-stand-in/stand-in-log';
import { type Client, Homeserver } from './support/homeserver.js';
import { Talk } from './support/talk.js';

/** What is to be closed after a test, or after a suite. */
type Closing = (() => Promise<unknown>)[];
const closing: Closing = [];
const close = async (what: Closing): Promise<void> => {
  for (const each of what.splice(0).toReversed()) await each();
};
afterEach(() => close(closing));

async function startOn(url: string, until = closing): Promise<{ server: Homeserver; lines: () => string[] }> {
  const env = { ANNALS_EVENT_STORE_URL: url, ANNALS_LOG: 'info' };
  const server = new Homeserver({ env, stdout: 'pipe' });
  until.push(() => server.remove());
  await server.start();
  let text = '';
  server.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { server, lines: () => text.split('\n').filter((line) => line !== '') };
}

/** What is a bug of ours, or was told as one. */
function stacks(lines: readonly string[]): string[] {
  return lines.filter((line) => line.includes('"stack"'));
}

/** How often a line stands in a log. */
function count(lines: readonly string[], words: string): number {
  return lines.filter((line) => line.includes(words)).length;
}

/** So large that a server takes some 25 at once by default. */
const bytesOf = (n: number): number => 20_000 + ((n * 7919) % 40_000);

/** Within ten seconds, and what a busy machine adds: all servers, their log and their clients run on it. */
const GOES_ON_WITHIN_MS = 10_000 + 10_000;

describe('a server whose log is on another one', () => {
  it('answers 503 while it is away, says once that it is lost and once that it is back, and goes on', async () => {
    let log: KurrentStandIn = await startKurrentStandIn();
    closing.push(() => log.close());
    const { server, lines } = await startOn(log.url);
    const alice = await server.register('alice');
    const room = await alice.createRoom();
    const talk = await Talk.begin({ room, senders: [alice], readers: [alice] });
    await talk.goesOn(10);
    await log.close();
    await talk.isRefused(4);
    const health = await server.request('GET', '/health');
    expect([health.status, health.body.errors]).toEqual([
      503,
      expect.arrayContaining([expect.stringContaining('log')]),
    ]);
    log = await startKurrentStandIn(log);
    await talk.goesOn(20);
    expect((await server.request('GET', '/health')).status).toBe(200);
    await talk.end();
    expect(talk.longestAnswerMs).toBeLessThan(GOES_ON_WITHIN_MS);
    expect([count(lines(), 'the log is lost'), count(lines(), 'the log is back')]).toEqual([1, 1]);
    expect(stacks(lines())).toEqual([]);
  }, 240_000);

  it.each(['killLeader', 'freezeLeader'] as const)(
    'goes on within ten seconds without the node of a cluster that it is led by, loses and doubles nothing: %s',
    async (lose) => {
      const cluster = await startKurrentCluster({ maxAppendBytes: DEFAULT_APPEND_BYTES });
      closing.push(() => cluster.close());
      const { server, lines } = await startOn(cluster.url);
      const [alice, bob] = [await server.register('alice'), await server.register('bob')];
      const rooms = await Promise.all([1, 2, 3].map(() => roomOf(alice, bob)));
      const talks = await Promise.all(
        rooms.map((room) => Talk.begin({ room, senders: [alice, bob], readers: [bob], bytesOf })),
      );
      await Promise.all(talks.map((talk) => talk.goesOn(10)));
      const losing = cluster[lose](1500);
      await Promise.all(talks.map((talk) => talk.goesOn(20)));
      await losing;
      // It comes back as a follower, with what it had still to do.
      await cluster.revive();
      await Promise.all(talks.map((talk) => talk.goesOn(10)));
      for (const talk of talks) await talk.end();
      expect(Math.max(...talks.map(({ longestMs }) => longestMs))).toBeLessThan(GOES_ON_WITHIN_MS);
      expect(stacks(lines())).toEqual([]);
    },
    240_000,
  );
});

describe('a server that starts before its log does', () => {
  let log: KurrentStandIn;
  let lines: () => string[];
  let alice: Client;
  let bob: Client;
  const atEnd: Closing = [];

  beforeAll(async () => {
    const before = await startKurrentStandIn({ maxAppendBytes: DEFAULT_APPEND_BYTES });
    await before.close();
    const starting = startOn(before.url, atEnd);
    await delay(3000);
    log = await startKurrentStandIn(before);
    atEnd.unshift(() => log.close());
    const started = await starting;
    lines = started.lines;
    alice = await started.server.register('alice');
    bob = await started.server.register('bob');
  }, 240_000);
  afterAll(() => close(atEnd));

  /** What may befall the log while people talk. */
  const faults: Record<string, (talk: Talk) => Promise<void>> = {
    'takes 1 MB at once, where 64 messages of 20 to 60 KB are sent at once': async (talk) => {
      await talk.goesOn(200);
    },
    'drops those who follow it, and is silent to who reads, for six seconds': async (talk) => {
      log.faults.silentReads = true;
      log.dropSubscriptions();
      await delay(6000);
      log.faults.silentReads = false;
      await talk.goesOn(30);
    },
    'tells nothing of what is new, for six seconds': async (talk) => {
      log.faults.silentSubscriptions = true;
      await delay(6000);
      log.faults.silentSubscriptions = false;
      await talk.goesOn(30);
    },
    'carries out what it does not answer, or answers after the connection is lost': async (talk) => {
      for (let i = 0; i < 4; i++) {
        log.loseNextAnswer();
        await talk.goesOn(10);
        log.faults.unansweredAppends++;
        await talk.goesOn(10);
      }
    },
  };

  it.each(Object.entries(faults))(
    'loses and doubles nothing, and tells all readers one order, while the log %s',
    async (what, befall) => {
      const room = await roomOf(alice, bob);
      const atOnce = what.includes('64') ? 32 : 4;
      const talk = await Talk.begin({ room, senders: [alice, bob], readers: [alice, bob], atOnce, bytesOf });
      await talk.goesOn(10);
      await befall(talk);
      await talk.end();
      expect(talk.longestMs).toBeLessThan(GOES_ON_WITHIN_MS);
      expect(stacks(lines())).toEqual([]);
    },
    240_000,
  );
});

/** A room with both in it. */
async function roomOf(alice: Client, bob: Client): Promise<string> {
  const room = await alice.createRoom({ preset: 'public_chat' });
  await bob.ok('POST', `/join/${encodeURIComponent(room)}`, {});
  return room;
}

describe('an address of the log that waiting does not mend', () => {
  const login = { user: 'annals', password: 'the-right-one' };
  const words = {
    'a wrong password': /^annals: The event store at .* does not take the user and the password\n$/,
    'an untrusted certificate': /^annals: The event store at .* certificate of localhost:\d+ is not trusted .*\n$/,
    'an unknown host': /^annals: The event store at .* the host no-such-host\.invalid is unknown\n$/,
  };

  it.each(Object.entries(words))(
    'ends the start with exit code 78 and one line: %s',
    async (what, line) => {
      const authority = new TestAuthority();
      const log = await startKurrentStandIn({ login, tls: authority.issue() });
      const directory = mkdtempSync(join(tmpdir(), 'annals-address-'));
      closing.push(async () => rmSync(directory, { recursive: true }));
      closing.push(() => log.close());
      writeFileSync(join(directory, 'ca.pem'), authority.certificate);
      const host = what === 'an unknown host' ? 'no-such-host.invalid' : 'localhost';
      const password = what === 'a wrong password' ? 'a-wrong-one' : login.password;
      const query = what === 'an untrusted certificate' ? '' : `?tlsCAFile=${join(directory, 'ca.pem')}`;
      const child = spawn(
        process.execPath,
        [fileURLToPath(new URL('../apps/start.mjs', import.meta.url)), 'homeserver'],
        {
          cwd: directory,
          env: {
            PATH: process.env['PATH'],
            ANNALS_DATA_DIR: join(directory, 'data'),
            ANNALS_LISTEN: '127.0.0.1:0',
            ANNALS_LOG: 'error',
            ANNALS_EVENT_STORE_URL: `kurrentdb://${login.user}:${password}@${host}:${log.port}${query}`,
          },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
      const code = await new Promise((resolve) => child.once('close', resolve));
      expect([code, output.replace('annals: building\n', '')]).toEqual([78, expect.stringMatching(line)]);
      expect(output).not.toContain('-one');
    },
    120_000,
  );
});
