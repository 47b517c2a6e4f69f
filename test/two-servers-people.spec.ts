import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { FakeIdentityServer, IDENTITY_AUTHORITY } from '#testing/fake-identity-server';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { registerAdmin, SHARED_SECRET } from './support/admin.js';
import { annals } from './support/annals.js';
import { type Client, Homeserver, passwordOf } from './support/homeserver.js';
import { startBeside } from './support/start-beside.js';
import { VIEWS_THERE } from './support/stores.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** A word that a log has whole: what it knows already, and what comes twice in one fact, it abbreviates. */
const ODD = 'qzxvkjwp';

/** A process takes over after some seconds. */
const SOON = { timeout: 60_000, interval: 500 };

describe.each(VIEWS_THERE)(
  'what follows of addresses, accounts elsewhere and invitations where two processes share a log (views in %s)',
  (views) => {
    let mails: MailServer;
    let elsewhere: FakeIdentityServer;
    let first: Homeserver;
    let second: Homeserver;
    let root: string;
    /** How often the identity server was asked to forget whose an identifier is, how often it did, and how often it still says that it cannot. */
    let asked = 0;
    let forgotten = 0;
    let away = 0;

    beforeAll(async () => {
      mails = await startMailServer();
      elsewhere = await FakeIdentityServer.start();
      elsewhere.instead = (path) => {
        const { pathname, searchParams } = new URL(path.split(' ')[1]!, 'https://any.example');
        if (pathname === '/3pid/getValidated3pid')
          return [200, { medium: 'email', address: addressOf(searchParams.get('sid')!), validated_at: 1 }];
        if (pathname !== '/3pid/unbind') return [200, {}];
        asked++;
        if (away-- > 0) return [503, { errcode: 'M_UNKNOWN', error: 'Come again' }];
        forgotten++;
        return [200, {}];
      };
      const env = {
        ANNALS_ROLES: 'all,identity',
        ANNALS_SMTP_URL: mails.url,
        ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET,
        ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost',
        ANNALS_TLS_CA: 'authority.crt',
      };
      first = new Homeserver({ log: 'a server', views, env });
      const authority = join(first.directory, 'authority.crt');
      writeFileSync(authority, IDENTITY_AUTHORITY.certificate);
      await first.start();
      second = await startBeside(first, { ...env, ANNALS_TLS_CA: authority });
      root = await registerAdmin(second);
    });
    afterAll(async () => {
      await second?.remove();
      await first?.remove();
      await elsewhere.close();
      await mails.close();
    });

    const addressOf = (name: string): string => `${ODD}${name}@mail.example`;
    const subjectOf = (name: string): string => `${name}.${ODD}`;

    /** What an administrator says of an account; made where there is none. */
    async function say(server: Homeserver, name: string, body: object): Promise<void> {
      const path = `/_synapse/admin/v2/users/${encodeURIComponent(`@${name}:${server.serverName}`)}`;
      const saying = async (): Promise<number> => (await server.request('PUT', path, { token: root, body })).status;
      await expect.poll(saying, SOON).toBeLessThan(300);
    }
    const linked = (name: string): object => ({
      external_ids: [{ auth_provider: 'any', external_id: subjectOf(name) }],
    });

    /** Somebody with an address and an account elsewhere, and somebody who is known at an identity server. */
    async function begin(server: Homeserver, nth: number): Promise<Client> {
      const threepids = [{ medium: 'email', address: addressOf(`ann${nth}`) }];
      await say(server, `ann${nth}`, { threepids, ...linked(`ann${nth}`) });
      const bea = await server.register(`bea${nth}`);
      const shown = { sid: `bea${nth}`, client_secret: 's', id_server: elsewhere.name, id_access_token: 't' };
      await bea.ok('POST', '/account/3pid/bind', shown);
      expect(await wordsLeft(nth)).toHaveLength(3);
      return bea;
    }

    /** The one loses both, the other closes their account, and somebody is invited. */
    async function end(server: Homeserver, nth: number, bea: Client): Promise<void> {
      await say(server, `ann${nth}`, { threepids: [], external_ids: [] });
      const auth = { type: 'm.login.password', user: bea.userId, password: passwordOf(`bea${nth}`) };
      await bea.ok('POST', '/account/deactivate', { auth });
      const address = addressOf(`cy${nth}`);
      const wanted = { medium: 'email', address, room_id: '!tea:e2e.example', sender: `@ann${nth}:e2e.example` };
      const stored = await server.request('POST', '/_matrix/identity/api/v1/store-invite', { body: wanted });
      expect(stored.status).toBe(200);
    }

    /** Which words that are to be forgotten a copy of the log has. */
    async function wordsLeft(nth: number): Promise<string[]> {
      const folder = mkdtempSync(join(tmpdir(), 'annals-copy-'));
      try {
        const { code, output } = await annals(first, 'log', 'copy', folder);
        expect([code, output]).toEqual([0, output]);
        const log = readFileSync(join(folder, 'log', 'data.mdb'));
        const words = [`${ODD}ann${nth}`, `ann${nth}.${ODD}`, `${ODD}bea${nth}`];
        return words.filter((word) => log.includes(word));
      } finally {
        rmSync(folder, { recursive: true });
      }
    }

    async function expectDone(server: Homeserver, nth: number): Promise<void> {
      await mails.waitFor(addressOf(`cy${nth}`));
      await expect.poll(() => forgotten, SOON).toBe(nth);
      await expect.poll(() => wordsLeft(nth), SOON).toEqual([]);
      // It is nobody's: somebody else may have it.
      await say(server, `dee${nth}`, linked(`ann${nth}`));
    }

    const runsHere = async (server: Homeserver): Promise<boolean> => {
      const { text } = await server.request('GET', '/metrics');
      const names = ['removed-threepids', 'unlinked-ids', 'invitation-messages', 'ended-bindings'];
      return names.every((name) => text.includes(`annals_effect_runs_here{effect="${name}"} 1`));
    };

    it('is done once, by the other one where the one that was to do it is killed before', async () => {
      expect([await runsHere(first), await runsHere(second)]).toEqual([true, false]);
      const bea = await begin(second, 1);
      first.signal('SIGSTOP');
      // The request itself asks, and then whoever sees to it that it is done.
      away = 1;
      await end(second, 1, bea);
      await first.end('SIGKILL');
      await expectDone(second, 1);
    });

    it('is done once, by the next one where one is killed in the midst of it', async () => {
      await first.start();
      expect([await runsHere(first), await runsHere(second)]).toEqual([false, true]);
      const bea = await begin(first, 2);
      mails.silent.set(addressOf('cy2'), 0);
      away = Infinity;
      const before = asked;
      await end(first, 2, bea);
      await expect.poll(() => asked - before, SOON).toBeGreaterThan(1);
      await expect.poll(() => mails.silent.get(addressOf('cy2')), SOON).toBeGreaterThan(0);
      await second.end('SIGKILL');
      away = 0;
      mails.silent.delete(addressOf('cy2'));
      await expectDone(first, 2);
      expect(mails.received.flatMap(({ to }) => to)).toEqual([addressOf('cy1'), addressOf('cy2')]);
    });
  },
);
