import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { START } from '#kernel/position';
import { type KurrentStandIn, startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { TestAuthority } from '#testing/test-authority';
import { closeAll, factsIn, follow, open, start } from '../../test/kurrent-servers.js';
import { EventStoreMisconfigured } from '../event-store-errors.js';
import { someFacts } from '../store-under-test.js';
import { openKurrentEventStore } from './kurrentdb-event-store.js';

afterEach(closeAll);

describe('a server that asks who comes', () => {
  const login = { user: 'annals', password: 'the-right-one' };
  const authority = new TestAuthority();
  const tls = authority.issue();
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'annals-tls-'));
    writeFileSync(join(directory, 'ca.pem'), authority.certificate);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const urlOf = (server: KurrentStandIn, { user = login.user, password = login.password, isTrusted = true }): string =>
    `kurrentdb://${user}:${password}@localhost:${server.port}` +
    (isTrusted ? `?tlsCAFile=${join(directory, 'ca.pem')}` : '');

  it('lets in whoever shows the right password over TLS', async () => {
    const server = await start({ login, tls });
    const store = await open(urlOf(server, {}));
    const followed = follow(store);
    await store.append('a', 'no-stream', someFacts(2));
    expect(await factsIn(store, 'a')).toHaveLength(2);
    expect(await followed.until(2)).toHaveLength(2);
  }, 20_000);

  it('is found again although the file of certificates was away when its connection broke', async () => {
    const server = await start({ login, tls });
    const store = await open(urlOf(server, {}), { patienceMs: 30_000 });
    await store.append('a', 'no-stream', someFacts(1));
    renameSync(join(directory, 'ca.pem'), join(directory, 'away.pem'));
    await server.close();
    const reading = factsIn(store, 'a');
    await delay(1500);
    renameSync(join(directory, 'away.pem'), join(directory, 'ca.pem'));
    await start({ ...server, login, tls });
    expect(await reading).toHaveLength(1);
  }, 40_000);

  it.each([
    ['a wrong password', { password: 'a-wrong-one' }, /does not take the user and the password$/],
    ['a certificate that nobody has vouched for', { isTrusted: false }, /certificate of localhost:\d+ is not trusted/],
  ])(
    'is told from one that is late, at once and without a secret: %s',
    async (_, how, words) => {
      const server = await start({ login, tls });
      const opening = openKurrentEventStore(urlOf(server, how), { waitMs: 60_000 });
      const error = await opening.catch((caught: Error) => caught);
      expect(error).toBeInstanceOf(EventStoreMisconfigured);
      expect((error as Error).message).toMatch(words);
      expect((error as Error).message).not.toMatch(/-one|\n/);
    },
    40_000,
  );
});

describe('a server that is not there', () => {
  it('is waited for, and that is said at once, and not at each try', async () => {
    const before = await startKurrentStandIn();
    await before.close();
    const said: string[] = [];
    const opening = open(before.url, { waitMs: Infinity, onWaiting: (reason) => said.push(reason) });
    await expect.poll(() => said.length).toBe(1);
    await delay(1500);
    expect(said).toEqual([expect.stringContaining('does not answer')]);
    await start(before);
    const store = await opening;
    expect(await store.head()).toBe(START);
    await store.append('a', 'no-stream', someFacts(1));
    expect(await factsIn(store, 'a')).toHaveLength(1);
  }, 20_000);

  it.each([
    ['a host that nobody knows', 'kurrentdb://user:secret@no-such-host.invalid:2113?tls=false', /host .* is unknown/],
    ['several hosts, of which one alone would be asked', 'kurrentdb+discover://a,b,c?tls=false', /kurrentdb:\/\/a,b,c/],
    [
      'a file that is not there',
      'kurrentdb://127.0.0.1:1?tls=true&tlsCAFile=/no/such/file',
      /File was not found|cannot be read/,
    ],
  ])('is told from one that will never answer, without a secret: %s', async (_, url, words) => {
    const error = await openKurrentEventStore(url, { waitMs: 60_000 }).catch((caught: Error) => caught);
    expect(error).toBeInstanceOf(EventStoreMisconfigured);
    expect((error as Error).message).toMatch(words);
    expect((error as Error).message).not.toContain('secret');
  });

  it('is told from one that speaks no TLS', async () => {
    const server = await start();
    const url = `kurrentdb://127.0.0.1:${server.port}`;
    await expect(openKurrentEventStore(url, { waitMs: 60_000 })).rejects.toThrow('does not speak TLS');
  }, 20_000);
});
