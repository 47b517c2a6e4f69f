import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { bodyOf } from '#testing/body-of';
import { annals } from './support/annals.js';
import { type Client, Homeserver } from './support/homeserver.js';
import { RecordingProxy } from './support/recording-proxy.js';
import { describeEmbedded } from './support/stores.js';

// Servers and commands are started.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

describeEmbedded(
  'an application service in the hands of an operator',
  'a server has a way of its own to restore',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'annals-service-'));
    const backup = join(directory, 'backup');
    let service: Server;
    let refuses = 'nothing';
    let proxy: RecordingProxy;
    let server: Homeserver;
    let alice: Client;
    let room: string;

    beforeAll(async () => {
      service = createServer(async (request, response) => {
        const text = await bodyOf(request);
        response.writeHead(text.includes(refuses) ? 500 : 200).end('{}');
      });
      await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
      proxy = await RecordingProxy.start(`http://127.0.0.1:${(service.address() as AddressInfo).port}`);
      const registration = join(directory, 'registration.yaml');
      const tokens = { as_token: 'token-of-the-service', hs_token: 'token-of-the-server' };
      const file = { id: 'bridge', url: proxy.url, ...tokens, sender_localpart: 'bridge', namespaces: {} };
      writeFileSync(registration, JSON.stringify(file));
      server = await Homeserver.start({ env: { ANNALS_APPSERVICES: registration } });
      alice = await server.register('alice');
      room = await alice.createRoom({ preset: 'public_chat' });
      const path = `/_matrix/client/v3/join/${encodeURIComponent(room)}`;
      await server.request('POST', path, { token: 'token-of-the-service', body: {} });
    });
    afterAll(async () => {
      await server.remove();
      proxy.close();
      service.close();
      rmSync(directory, { recursive: true, force: true });
    });

    /** The id of the transaction in which the service was told something, once it has answered so. */
    const told = (text: string, status = 200): Promise<string> =>
      vi.waitFor(
        () => {
          const found = proxy.transactions.find((each) => each.text.includes(text) && each.status === status);
          expect(found).toBeDefined();
          return found!.id;
        },
        { timeout: 60_000 },
      );

    test('is sent what follows a transaction that it never takes, once that is passed over', async () => {
      refuses = 'poison';
      await alice.send(room, 'poison');
      const id = await told('poison', 500);
      await alice.send(room, 'behind it');
      const listed = await annals(server, 'appservices', 'list');
      expect(listed).toMatchObject({
        code: 1,
        output: expect.stringMatching(new RegExp(`^bridge .* ${id} .*500$`, 'm')),
      });
      const metrics = (await server.request('GET', '/metrics')).text;
      expect(metrics).toMatch(/^annals_appservice_refused_seconds\{service="bridge"\} (?!0$)/m);
      expect((await annals(server, 'appservices', 'skip', 'bridge', 'none')).code).toBe(1);
      expect((await annals(server, 'appservices', 'skip', 'bridge', id)).code).toBe(0);
      await told('behind it');
      expect((await annals(server, 'appservices', 'list')).code).toBe(0);
    });

    test('is given no id of a transaction again after the log was put back to an earlier moment', async () => {
      await alice.send(room, 'kept');
      const before = await told('kept');
      expect((await annals(server, 'backup', backup)).code).toBe(0);
      await alice.send(room, 'lost');
      const lost = await told('lost');
      await server.end();
      expect((await annals(server, 'restore', backup, '--replace')).code).toBe(0);
      await server.start();
      await alice.send(room, 'said instead');
      const instead = await told('said instead');
      expect(Number(lost)).toBeGreaterThan(Number(before));
      expect(instead).toMatch(new RegExp(`^${lost}-[0-9a-f]{8}$`));
      expect(proxy.transactions.filter(({ id, status }) => id === lost && status === 200)).toHaveLength(1);
    });
  },
);
