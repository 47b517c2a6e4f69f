import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';
import { describeWithLogs } from './support/stores.js';

const TOKEN = 'token-of-the-service';
const V3 = '/_matrix/client/v3';

interface Transaction {
  readonly id: string;
  readonly text: string;
  readonly isTaken: boolean;
}

// Servers are started and killed.
vi.setConfig({ testTimeout: 120_000 });

describeWithLogs('transactions to an application service', (log) => {
  const came: Transaction[] = [];
  let wake = (): void => {};
  let takes = true;
  let service: Server;
  let server: Homeserver;
  let registration: string;
  let alice: Client;
  let room: string;

  beforeAll(async () => {
    service = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const id = /\/transactions\/([^?]+)/.exec(request.url ?? '')?.[1] ?? '';
        came.push({ id, text: Buffer.concat(pieces).toString(), isTaken: takes });
        response.writeHead(takes ? 200 : 503).end('{}');
        wake();
      });
    });
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
    registration = join(mkdtempSync(join(tmpdir(), 'annals-service-')), 'registration.yaml');
    register({});
    server = await Homeserver.start({ log, env: { ANNALS_APPSERVICES: registration } });
    alice = await server.register('alice');
    room = await alice.createRoom({ preset: 'public_chat' });
    await ask('POST', `${V3}/join/${encodeURIComponent(room)}`, {});
  });
  afterAll(async () => {
    await server.remove();
    service.close();
  });

  function register(keys: object): void {
    const file = {
      id: 'bridge',
      url: `http://127.0.0.1:${(service.address() as AddressInfo).port}`,
      as_token: TOKEN,
      hs_token: 'token-of-the-server',
      sender_localpart: 'bridge',
      namespaces: {},
      ...keys,
    };
    writeFileSync(registration, JSON.stringify(file));
  }

  async function ask(method: string, path: string, body: object): Promise<void> {
    expect(await server.request(method, path, { token: TOKEN, body })).toMatchObject({ status: 200 });
  }

  const say = async (text: string): Promise<string> => {
    const content = { msgtype: 'm.text', body: text };
    return (await alice.ok('POST', `/rooms/${encodeURIComponent(room)}/send/m.room.message`, content)).event_id;
  };

  async function until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  const withEvent = (eventId: string, isTaken: boolean): Promise<Transaction> =>
    until(() => came.findLast((one) => one.text.includes(eventId) && one.isTaken === isTaken));
  const idsOf = ({ text }: Transaction): string[] =>
    (JSON.parse(text) as { events: { event_id: string }[] }).events.map(({ event_id: id }) => id);

  test('are the same after the server was killed, byte by byte, and nothing is left out or sent under two ids', async () => {
    await withEvent(await say('taken'), true);
    takes = false;
    const refused = await say('refused');
    const before = await withEvent(refused, false);
    const waiting: string[] = [];
    for (let i = 0; i < 5; i++) waiting.push(await say(`waiting ${i}`));
    await server.end('SIGKILL');
    takes = true;
    await server.start();
    const after = await withEvent(refused, true);
    expect([after.id, after.text]).toEqual([before.id, before.text]);
    for (const id of waiting) await withEvent(id, true);
    const contents = new Map(came.map((one) => [one.id, one.text]));
    expect(came.every(({ id, text }) => contents.get(id) === text)).toBe(true);
    const told = [...contents.keys()]
      .toSorted((a, b) => Number(a) - Number(b))
      .flatMap((id) => idsOf({ id, text: contents.get(id)!, isTaken: true }));
    expect(new Set(told).size).toBe(told.length);
    expect(told.filter((id) => id === refused || waiting.includes(id))).toEqual([refused, ...waiting]);
  });

  test('are not sent again once they were taken', async () => {
    const last = await withEvent(await say('last'), true);
    await server.end();
    const sent = came.length;
    await server.start();
    const next = await withEvent(await say('next'), true);
    expect(Number(next.id)).toBe(Number(last.id) + 1);
    expect(came.length).toBe(sent + 1);
  });

  test('go on under a registration that was read anew, and the old token is good for nothing', async () => {
    register({ as_token: 'another-token' });
    server.signal('SIGHUP');
    await vi.waitFor(
      async () => {
        expect((await server.request('GET', `${V3}/account/whoami`, { token: TOKEN })).status).toBe(401);
      },
      { timeout: 60_000 },
    );
    expect((await server.request('GET', `${V3}/account/whoami`, { token: 'another-token' })).body.user_id).toMatch(
      /^@bridge:/,
    );
    await withEvent(await say('anew'), true);
  });
});
