import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type KurrentStandIn, startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { AUTHORITY, CERTIFICATE, CERTIFICATE_KEY } from '#testing/kurrentdb-stand-in/certificate';
import { startKurrentCluster } from '#testing/kurrentdb-stand-in/stand-in-cluster';
import { type Client, Homeserver } from './support/homeserver.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function startOn(url: string): Promise<{ server: Homeserver; lines: () => string[] }> {
  const env = { ANNALS_EVENT_STORE_URL: url, ANNALS_LOG: 'info' };
  const server = new Homeserver({ env, stdout: 'pipe' });
  closing.push(() => server.remove());
  await server.start();
  let text = '';
  server.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { server, lines: () => text.split('\n').filter((line) => line !== '') };
}

/** Sends as clients do: the same transaction again until it is answered. */
async function sendUntilAnswered(alice: Client, room: string, txnId: string): Promise<string> {
  for (;;) {
    const answer = await put(alice, room, txnId);
    if (answer.status === 200) return ((await answer.json()) as { event_id: string }).event_id;
    expect(answer.status).toBe(503);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function put(alice: Client, room: string, txnId: string): Promise<Response> {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/${txnId}`;
  return fetch(`${alice.server.base}${path}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${alice.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ msgtype: 'm.text', body: txnId }),
  });
}

async function messagesIn(alice: Client, room: string): Promise<{ event_id: string; body: string }[]> {
  const { chunk } = await alice.ok('GET', `/rooms/${encodeURIComponent(room)}/messages?dir=f&limit=500`);
  return chunk
    .filter(({ type }: { type: string }) => type === 'm.room.message')
    .map(({ event_id, content }: { event_id: string; content: { body: string } }) => ({
      event_id,
      body: content.body,
    }));
}

describe('a server whose log is on another one', () => {
  it('answers 503 while it is away, says once that it is lost and once that it is back, and goes on', async () => {
    let log: KurrentStandIn = await startKurrentStandIn();
    closing.push(() => log.close());
    const { server, lines } = await startOn(log.url);
    const alice = await server.register('alice');
    const room = await alice.createRoom();
    await alice.send(room, 'before', 'before');
    await log.close();
    const began = performance.now();
    const answers = await Promise.all(['a', 'b', 'c'].map((txnId) => put(alice, room, txnId)));
    // Within ten seconds, and what a busy machine adds.
    expect(performance.now() - began).toBeLessThan(20_000);
    for (const answer of answers) {
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^\d+$/)]);
      expect(await answer.json()).toMatchObject({ errcode: 'M_UNKNOWN' });
    }
    const health = await server.request('GET', '/health');
    expect([health.status, health.body.errors]).toEqual([
      503,
      expect.arrayContaining([expect.stringContaining('log')]),
    ]);
    log = await startKurrentStandIn(log);
    for (const txnId of ['a', 'b', 'c']) await sendUntilAnswered(alice, room, txnId);
    expect((await server.request('GET', '/health')).status).toBe(200);
    expect((await messagesIn(alice, room)).map(({ body }) => body).toSorted()).toEqual(['a', 'b', 'before', 'c']);
    expect(lines().filter((line) => line.includes('the log is lost'))).toHaveLength(1);
    expect(lines().filter((line) => line.includes('the log is back'))).toHaveLength(1);
    expect(lines().filter((line) => line.includes('"stack"'))).toEqual([]);
  }, 90_000);

  it.each(['killLeader', 'freezeLeader'] as const)(
    'goes on without the node of a cluster that it is led by, loses and doubles nothing: %s',
    async (lose) => {
      const cluster = await startKurrentCluster();
      closing.push(() => cluster.close());
      const { server, lines } = await startOn(cluster.url);
      const alice = await server.register('alice');
      const rooms = await Promise.all([1, 2, 3, 4].map(() => alice.createRoom()));
      const losing = cluster[lose](1500);
      const sent = await Promise.all(
        rooms.map(async (room, n) => {
          const ids: string[] = [];
          for (let i = 0; i < 5; i++) ids.push(await sendUntilAnswered(alice, room, `t${n}-${i}`));
          return ids;
        }),
      );
      await losing;
      for (const [n, room] of rooms.entries()) {
        expect((await messagesIn(alice, room)).map(({ event_id }) => event_id)).toEqual(sent[n]);
      }
      expect(lines().filter((line) => line.includes('"stack"'))).toEqual([]);
    },
    90_000,
  );
});

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
      const log = await startKurrentStandIn({ login, tls: { certificate: CERTIFICATE, key: CERTIFICATE_KEY } });
      const directory = mkdtempSync(join(tmpdir(), 'annals-address-'));
      closing.push(async () => rmSync(directory, { recursive: true }));
      closing.push(() => log.close());
      writeFileSync(join(directory, 'ca.pem'), AUTHORITY);
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
    60_000,
  );
});
