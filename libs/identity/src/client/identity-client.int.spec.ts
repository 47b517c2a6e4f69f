import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { Outgoing } from '#http/outgoing/outgoing';
import type { ServerName } from '#kernel/ids';
import { FakeIdentityServer, IDENTITY_AUTHORITY } from '#testing/fake-identity-server';
import { hashAddress } from './hash-address.js';
import { IdentityServers } from './identity-servers.js';
import { LookUpThreepids } from './look-up-threepids.js';

const GRANT = {
  access_token: 'of the homeserver',
  token_type: 'Bearer',
  matrix_server_name: 'a.example' as ServerName,
  expires_in: 3600,
} as const;
const BOB = { medium: 'email', address: 'bob@example.org' };

let fake: FakeIdentityServer;
let outgoing: Outgoing;

beforeEach(async () => {
  fake = await FakeIdentityServer.start();
  outgoing = new Outgoing({ ca: IDENTITY_AUTHORITY.certificate, allowPrivate: true, connectMs: 5_000 });
});
afterEach(async () => {
  await outgoing.onModuleDestroy();
  await fake.close();
});

/** Those that the settings let users ask; that of the test is near unless told otherwise. */
function servers(
  settings: Readonly<Record<string, string>> = { ANNALS_IDENTITY_PRIVATE_SERVERS: fake.name },
): IdentityServers {
  return new IdentityServers(outgoing, loadConfig(settings));
}

async function begin(): Promise<{ client: IdentityServers; server: ServerName; token: string }> {
  const client = servers();
  const server = client.parseServer(fake.name);
  return { client, server, token: await client.register(server, GRANT) };
}

describe('a hashed address', () => {
  it.each([
    ['alice@example.com', 'email', '4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc'],
    ['bob@example.com', 'email', 'LJwSazmv46n0hlMlsb_iYxI0_HXEqy_yj6Jm636cdT8'],
    ['18005552067', 'msisdn', 'nlo35_T5fzSGZzJApqu8lgIudJvmOQtDaHtr-I4rU7I'],
  ])('is that of the specification: %s', (address, medium, hash) => {
    expect(hashAddress({ medium, address }, 'matrixrocks')).toBe(hash);
  });
});

describe('an identity server', () => {
  it('says whether a key holds, and near us is asked for nothing else at a URL that somebody chose', async () => {
    fake.instead = () => [200, { valid: true }];
    const near = (path: string): Promise<boolean> => servers().isKeyValid(`https://${fake.name}${path}`, 'key');
    expect(await near('/_matrix/identity/v2/pubkey/isvalid')).toBe(true);
    expect(fake.paths).toEqual(['GET /pubkey/isvalid?public_key=key']);
    for (const path of ['/admin/delete', '/_matrix/identity/../../admin', '/_matrix/identity/%2e%2e/x', '/']) {
      expect(await near(path)).toBe(false);
    }
    expect(fake.paths).toHaveLength(1);
  });

  it('is asked whether a key holds only where the operator lets it be asked, wherever an invitation says that is to be', async () => {
    fake.instead = () => [200, { valid: true }];
    const near = { ANNALS_IDENTITY_PRIVATE_SERVERS: fake.name };
    const isValid = (allowed: string): Promise<boolean> =>
      servers({ ...near, ANNALS_IDENTITY_SERVERS: allowed }).isKeyValid(
        `https://${fake.name}/_matrix/identity/v2/pubkey/isvalid`,
        'key',
      );
    for (const allowed of ['id.example', 'off', 'localhost']) {
      await expect(isValid(allowed)).rejects.toMatchObject({ errcode: 'M_SERVER_NOT_TRUSTED' });
    }
    expect(fake.paths).toEqual([]);
    expect(await isValid(`id.example, ${fake.name}`)).toBe(true);
  });

  it('is registered with, asked, told which terms are accepted, and logged out of', async () => {
    const { client, server, token } = await begin();
    expect(fake.grants).toEqual([GRANT]);
    fake.policies = { privacy: { version: '1', en: { name: 'Privacy', url: 'https://id.example/privacy' } } };
    expect(await client.terms(server)).toEqual(fake.policies);
    const refused = { status: 403, errcode: 'M_TERMS_NOT_SIGNED' };
    await expect(client.hashDetails(server, token)).rejects.toMatchObject(refused);
    await client.acceptTerms(server, token, ['https://id.example/privacy']);
    expect(await client.hashDetails(server, token)).toEqual({ pepper: 'matrixrocks', algorithms: ['none', 'sha256'] });
    await client.logOut(server, token);
    expect(fake.sessions).toBe(0);
  });

  it.each<[string, unknown]>([
    ['no text', 5],
    ['a URL', 'https://id.example'],
    ['a path', 'id.example/x'],
    ['somebody at it', 'user@id.example'],
    ['nothing', ''],
  ])('is named by the name of a server: not %s', (_, named) => {
    expect(() => servers().parseServer(named)).toThrow(
      expect.objectContaining({ errcode: 'M_INVALID_PARAM' }) as Error,
    );
  });

  it('is asked only where the operator lets it be', () => {
    const some = servers({ ANNALS_IDENTITY_SERVERS: 'id.example, *.vector.im' });
    expect([some.parseServer('ID.example'), some.parseServer('a.vector.im')]).toEqual(['id.example', 'a.vector.im']);
    const refused = expect.objectContaining({ errcode: 'M_SERVER_NOT_TRUSTED' }) as Error;
    expect(() => some.parseServer('other.example')).toThrow(refused);
    expect([some.findServer('ID.example'), some.findServer('other.example')]).toEqual(['id.example', undefined]);
    expect(() => servers({ ANNALS_IDENTITY_SERVERS: 'off' }).parseServer('id.example')).toThrow(refused);
  });

  it.each(['localhost', '127.0.0.1', '[::1]', '169.254.169.254', '[::ffff:10.0.0.1]'])(
    'is not connected to on this machine or its networks, also where other servers may be: %s',
    async (host) => {
      const client = servers({ ANNALS_FEDERATION_ALLOW_PRIVATE: 'true' });
      const server = client.parseServer(`${host}:${fake.name.split(':')[1]}`);
      await expect(client.register(server, GRANT)).rejects.toThrow('cannot be reached');
      expect(fake.paths).toEqual([]);
    },
  );

  it.each<[string, number, object]>([
    ['no token', 200, {}],
    ['a redirect', 302, {}],
    ['an error', 500, {}],
  ])('is not believed with %s', async (_, status, body) => {
    fake.instead = () => [status, body];
    const client = servers();
    await expect(client.register(client.parseServer(fake.name), GRANT)).rejects.toThrow();
    expect(fake.paths).toEqual(['POST /account/register']);
  });
});

describe('a look-up of 3PIDs', () => {
  it('says whose they are, of those that the server knows, and tells it none in plain text', async () => {
    const { client, server, token } = await begin();
    fake.bindings.set('bob@example.org email', '@bob:b.example');
    fake.bindings.set('4930123456 msisdn', 'nobody');
    const threepids = [BOB, { medium: 'email', address: 'x@example.org' }, { medium: 'msisdn', address: '4930123456' }];
    const found = await new LookUpThreepids(client).run(server, token, threepids);
    expect(found).toEqual([{ ...BOB, userId: '@bob:b.example' }]);
    expect(fake.lookedUp).toEqual(threepids.map((threepid) => hashAddress(threepid, 'matrixrocks')));
  });

  it('asks for a thousand at once, and again where the pepper changed meanwhile', async () => {
    const { client, server, token } = await begin();
    fake.bindings.set('u2100@example.org email', '@last:b.example');
    const threepids = Array.from({ length: 2_101 }, (_, n) => ({ medium: 'email', address: `u${n}@example.org` }));
    let lookups = 0;
    fake.instead = (path) => {
      if (path === 'POST /lookup' && ++lookups === 2) fake.pepper = 'another';
      return undefined;
    };
    const found = await new LookUpThreepids(client).run(server, token, threepids);
    expect(found).toEqual([{ medium: 'email', address: 'u2100@example.org', userId: '@last:b.example' }]);
    expect(fake.paths.filter((path) => path === 'POST /lookup')).toHaveLength(4);
    expect(fake.lookedUp).toHaveLength(2_101);
  });

  it('ends where a server changes its pepper all the time, has none, or wants addresses in plain text', async () => {
    const { client, server, token } = await begin();
    fake.instead = (path) => (path === 'POST /lookup' ? [400, { errcode: 'M_INVALID_PEPPER' }] : undefined);
    const lookUp = new LookUpThreepids(client);
    await expect(lookUp.run(server, token, [BOB])).rejects.toMatchObject({ errcode: 'M_INVALID_PEPPER' });
    expect(fake.paths.filter((path) => path === 'POST /lookup')).toHaveLength(4);
    fake.pepper = '';
    await expect(lookUp.run(server, token, [BOB])).rejects.toMatchObject({ errcode: 'M_SERVER_NOT_TRUSTED' });
    fake.pepper = 'matrixrocks';
    fake.algorithms = ['none'];
    await expect(lookUp.run(server, token, [BOB])).rejects.toMatchObject({ errcode: 'M_SERVER_NOT_TRUSTED' });
    expect(fake.lookedUp).toEqual([]);
  });
});
