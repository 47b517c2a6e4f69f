import 'reflect-metadata';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { bodyOf } from '#testing/body-of';
import { writeRegistration } from '#testing/registration-file';
import { WholeServer } from '../test/whole-server.js';

// The suite looks at what it expects of each answer.
// oxlint-disable-next-line typescript/no-explicit-any
type Body = any;

const SECRET = 'what both know';
const SERVICE = 'token-of-the-service';
const V3 = '/_matrix/client/v3';
const METADATA = {
  issuer: 'https://mas.example/',
  token_endpoint: 'https://mas.example/oauth2/token',
  account_management_uri: 'https://mas.example/account/?lang=en',
};

/** An authentication service as far as it is asked: tokens are what a test says. */
class FakeMas {
  readonly tokens = new Map<string, object>();
  asked: string[] = [];
  status = 200;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<FakeMas> {
    const server = createServer((request, response) => {
      void fake.#answer(request).then(([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    }).listen(0, '127.0.0.1');
    const fake = new FakeMas(server);
    await once(server, 'listening');
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  async #answer(request: IncomingMessage): Promise<[number, object]> {
    const text = await bodyOf(request);
    if (request.url === '/base/.well-known/openid-configuration') return [200, METADATA];
    if (request.url !== '/base/oauth2/introspect') return [404, {}];
    if (request.headers.authorization !== `Bearer ${SECRET}`) return [401, {}];
    const token = new URLSearchParams(text).get('token') ?? '';
    this.asked.push(token);
    return [this.status, this.tokens.get(token) ?? { active: false }];
  }
}

describe('an authentication service that is trusted', { timeout: 60_000 }, () => {
  let mas: FakeMas;
  let server: WholeServer;
  let count = 0;
  let name: string;
  let userId: string;

  beforeAll(async () => {
    mas = await FakeMas.start();
    const settings = { ANNALS_MAS_URL: `${mas.url}/base/`, ANNALS_MAS_SECRET: SECRET };
    // There is none at this place: nothing is to be sent.
    server = await WholeServer.start({
      ...settings,
      ANNALS_SMTP_URL: 'smtp://127.0.0.1:1',
      ANNALS_APPSERVICES: writeRegistration(),
    });
  });
  afterAll(async () => {
    await server.close();
    mas.close();
  });
  beforeEach(async () => {
    name = `user${++count}`;
    userId = `@${name}:a.example`;
    mas.asked = [];
    mas.status = 200;
  });

  const ask = async (
    method: string,
    path: string,
    token: string | undefined,
    body?: object,
  ): Promise<[number, Body]> => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const { status, text } = await server.request(method, path, { token, ...sent });
    return [status, text === '' ? undefined : JSON.parse(text)];
  };
  const order = (what: string, body: object): Promise<[number, Body]> =>
    ask('POST', `/_synapse/mas/${what}`, SECRET, { localpart: name, ...body });
  const whoami = (token: string): Promise<[number, Body]> => ask('GET', `${V3}/account/whoami`, token);
  const sessionOf = async (device: string, more: object = {}): Promise<string> => {
    await order('provision_user', {});
    expect((await order('upsert_device', { device_id: device, display_name: 'A device' }))[0]).toBe(201);
    const token = `mat_${name}_${device}`;
    const scope = `urn:matrix:client:api:* urn:matrix:client:device:${device}`;
    mas.tokens.set(token, { active: true, username: name, scope, expires_in: 300, ...more });
    return token;
  };

  it('makes users and says who they are', async () => {
    expect((await ask('GET', `/_synapse/mas/is_localpart_available?localpart=${name}`, SECRET))[0]).toBe(200);
    const emails = [`${name}@example.org`];
    const wanted = { set_displayname: 'Somebody', set_avatar_url: 'mxc://a.example/b', set_emails: emails };
    expect(await order('provision_user', wanted)).toEqual([201, {}]);
    expect(await order('provision_user', { unset_avatar_url: true, set_emails: [`new.${emails[0]}`] })).toEqual([
      200,
      {},
    ]);
    expect(await ask('GET', `/_synapse/mas/query_user?localpart=${name}`, SECRET)).toEqual([
      200,
      { user_id: userId, display_name: 'Somebody', avatar_url: null, is_suspended: false, is_deactivated: false },
    ]);
    expect((await ask('GET', `/_synapse/mas/is_localpart_available?localpart=${name}`, SECRET))[1].errcode).toBe(
      'M_USER_IN_USE',
    );
    const token = await sessionOf('DEVICE');
    expect(await whoami(token)).toEqual([200, { user_id: userId, device_id: 'DEVICE', is_guest: false }]);
    const other = { localpart: `other.${name}` };
    expect((await order('provision_user', { ...other, set_emails: [`new.${emails[0]}`] }))[1].errcode).toBe(
      'M_THREEPID_IN_USE',
    );
    // Nothing of that was done: the user is not there yet.
    expect((await order('provision_user', { ...other, set_emails: emails }))[0]).toBe(201);
    await order('set_displayname', { displayname: 'Another' });
    expect((await ask('GET', `${V3}/profile/${userId}`, token))[1].displayname).toBe('Another');
    await order('unset_displayname', {});
    expect((await ask('GET', `${V3}/profile/${userId}`, token))[1].displayname).toBeUndefined();
    expect((await ask('GET', '/_synapse/mas/query_user?localpart=nobody', SECRET))[0]).toBe(404);
  });

  it('is not told any more how somebody was called who was erased', async () => {
    await order('provision_user', { set_displayname: 'Somebody', set_avatar_url: 'mxc://a.example/b' });
    const known = { user_id: userId, is_suspended: false, is_deactivated: true };
    const path = `/_synapse/mas/query_user?localpart=${name}`;
    await order('delete_user', { erase: false });
    const named = { display_name: 'Somebody', avatar_url: 'mxc://a.example/b' };
    expect(await ask('GET', path, SECRET)).toEqual([200, { ...known, ...named }]);
    await order('delete_user', { erase: true });
    expect(await ask('GET', path, SECRET)).toEqual([200, { ...known, display_name: null, avatar_url: null }]);
  });

  it('is asked about a token once in a while, and its sessions end at once with their devices', async () => {
    const token = await sessionOf('DEVICE');
    const all = await Promise.all(Array.from({ length: 10 }, () => whoami(token)));
    expect(all.map(([status]) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(mas.asked).toEqual([token]);
    expect((await order('delete_device', { device_id: 'DEVICE' }))[0]).toBe(204);
    expect(await whoami(token)).toEqual([401, expect.objectContaining({ errcode: 'M_UNKNOWN_TOKEN' })]);
  });

  it('may know nothing of a token, or not answer, which is not the same', async () => {
    expect((await whoami('mat_none'))[1].errcode).toBe('M_UNKNOWN_TOKEN');
    expect((await whoami('mat_none'))[0]).toBe(401);
    expect(mas.asked).toEqual(['mat_none']);
    // Of this server's own it is not asked.
    expect((await whoami('annals_at_none'))[0]).toBe(401);
    expect(mas.asked).toHaveLength(1);
    mas.status = 500;
    expect((await whoami('mat_other'))[0]).toBe(503);
    mas.status = 200;
    for (const scope of ['', 'openid', 'urn:matrix:client:device:DEVICE']) {
      const token = await sessionOf(`D${scope.length}`, { scope });
      expect((await whoami(token))[0]).toBe(401);
    }
    const over = await sessionOf('OVER', { expires_in: 0 });
    expect((await whoami(over))[0]).toBe(401);
    const strange = await sessionOf('STRANGE', { username: 'nobody' });
    expect((await whoami(strange))[0]).toBe(401);
  });

  it('has tokens end after their time, and their sessions not: clients keep what they have', async () => {
    const token = await sessionOf('DEVICE', { expires_in: 1 });
    expect((await whoami(token))[0]).toBe(200);
    mas.tokens.delete(token);
    await expect.poll(async () => (await whoami(token))[0]).toBe(401);
    expect(await whoami(token)).toEqual([
      401,
      expect.objectContaining({ errcode: 'M_UNKNOWN_TOKEN', soft_logout: true }),
    ]);
    // In its last second, as the service says it.
    const last = await whoami(await sessionOf('LAST', { expires_in: 0 }));
    expect(last).toEqual([401, expect.objectContaining({ errcode: 'M_UNKNOWN_TOKEN', soft_logout: true })]);
    const ended = await sessionOf('ENDED', { expires_in: 1 });
    expect((await whoami(ended))[0]).toBe(200);
    mas.tokens.delete(ended);
    await order('delete_device', { device_id: 'ENDED' });
    await expect.poll(async () => (await whoami(ended))[0]).toBe(401);
    expect((await whoami(ended))[1].soft_logout).toBeUndefined();
  });

  it('says by the scope who is an administrator, and of what sessions of old are in words of its own', async () => {
    const scope = 'urn:matrix:org.matrix.msc2967.client:api:* urn:synapse:admin:*';
    const admin = await sessionOf('ADMIN', { scope, device_id: 'ADMIN' });
    expect((await whoami(admin))[1].device_id).toBe('ADMIN');
    expect((await ask('GET', `/_matrix/client/v1/admin/lock/${userId}`, admin))[0]).toBe(200);
    const plain = await sessionOf('PLAIN');
    expect((await ask('GET', `/_matrix/client/v1/admin/lock/${userId}`, plain))[0]).toBe(403);
    expect((await ask('POST', `${V3}/account/password`, plain, {}))[0]).toBe(403);
  });

  it('has devices be those that it knows, but for one that no client holds', async () => {
    const token = await sessionOf('ONE');
    const path = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device';
    const keys = { user_id: userId, device_id: 'ASLEEP', algorithms: [], keys: {}, signatures: {} };
    const asleep = { device_id: 'ASLEEP', device_data: { algorithm: 'x' }, device_keys: keys };
    const [dehydrated] = await ask('PUT', path, token, asleep);
    expect(await order('sync_devices', { devices: ['TWO', 'THREE'] })).toEqual([200, {}]);
    const other = await sessionOf('FOUR');
    expect((await order('update_device_display_name', { device_id: 'TWO', display_name: 'Two' }))[0]).toBe(200);
    const [, { devices }] = await ask('GET', `${V3}/devices`, other);
    const expected = ['FOUR', 'THREE', 'TWO', ...(dehydrated === 200 ? ['ASLEEP'] : [])];
    expect(devices.map(({ device_id: id }: { device_id: string }) => id).toSorted()).toEqual(expected.toSorted());
    expect(devices).toContainEqual(expect.objectContaining({ device_id: 'TWO', display_name: 'Two' }));
    expect((await whoami(token))[0]).toBe(401);
  });

  it('is past by nobody: no password and no mail of this server lets anybody in', async () => {
    for (const path of [`${V3}/login`, '/_matrix/client/api/v1/login']) {
      expect(await ask('GET', path, undefined)).toEqual([200, { flows: [] }]);
      const body = { type: 'm.login.password', user: name, password: 'x' };
      expect((await ask('POST', path, undefined, body))[0]).toBe(400);
    }
    const wanted = { client_secret: 'secret', email: `${name}@example.org`, send_attempt: 1 };
    const mail = await ask('POST', `${V3}/account/password/email/requestToken`, undefined, wanted);
    expect([mail[0], mail[1].errcode]).toEqual([403, 'M_FORBIDDEN']);
    const recovery = await ask('POST', `${V3}/account/password`, undefined, { new_password: 'x' });
    expect([recovery[0], recovery[1].errcode]).toEqual([401, 'M_MISSING_TOKEN']);
    const page = await server.request('GET', '/_matrix/static/client/login');
    expect([page.status, page.text.includes('Nobody logs in here')]).toEqual([200, true]);
  });

  it('lets application services make users and their devices, and open no sessions', async () => {
    const ghost = `_bridge_${name}`;
    const type = 'm.login.application_service';
    const register = (more: object): Promise<[number, Body]> =>
      ask('POST', `${V3}/register`, SERVICE, { type, username: ghost, ...more });
    expect((await register({}))[1].errcode).toBe('M_APPSERVICE_LOGIN_UNSUPPORTED');
    expect(await register({ inhibit_login: true })).toEqual([
      200,
      { user_id: `@${ghost}:a.example`, home_server: 'a.example' },
    ]);
    const login = { type, identifier: { type: 'm.id.user', user: ghost } };
    const [status, { errcode }] = await ask('POST', `${V3}/login`, SERVICE, login);
    expect([status, errcode]).toEqual([400, 'M_APPSERVICE_LOGIN_UNSUPPORTED']);
    expect((await ask('POST', `${V3}/login`, 'wrong', login))[1].errcode).toBe('M_FORBIDDEN');
    const device = `${V3}/devices/ITS?user_id=@${ghost}:a.example`;
    expect((await ask('PUT', device, SERVICE, {}))[0]).toBe(201);
  });

  it('says who asks, and this server that their account is locked: also to who waits already', async () => {
    const admin = await sessionOf('ADMIN', {
      scope: 'urn:matrix:client:api:* urn:synapse:admin:*',
      device_id: 'ADMIN',
    });
    name = `${name}.waits`;
    const token = await sessionOf('WAITS');
    const [, { next_batch: since }] = await ask('GET', `${V3}/sync`, token);
    const waits = ask('GET', `${V3}/sync?since=${since}&timeout=30000`, token);
    const path = `/_matrix/client/v1/admin/lock/@${name}:a.example`;
    expect((await ask('PUT', path, admin, { locked: true }))[0]).toBe(200);
    const [status, body] = await waits;
    expect([status, body.errcode, body.soft_logout]).toEqual([401, 'M_USER_LOCKED', true]);
  });

  it('locks accounts, and lifts that: its tokens are none meanwhile, and clients keep their sessions', async () => {
    const token = await sessionOf('DEVICE');
    const stays = mas.tokens.get(token)!;
    expect((await whoami(token))[0]).toBe(200);
    mas.tokens.delete(token);
    expect((await order('provision_user', { locked: true }))[0]).toBe(200);
    const [status, body] = await whoami(token);
    expect([status, body.errcode, body.soft_logout]).toEqual([401, 'M_USER_LOCKED', true]);
    const unseen = (await whoami(`${token}-never-seen`))[1];
    expect([unseen.errcode, unseen.soft_logout]).toEqual(['M_UNKNOWN_TOKEN', undefined]);
    mas.tokens.set(token, stays);
    expect((await order('provision_user', { locked: false }))[0]).toBe(200);
    expect((await whoami(token))[0]).toBe(200);
    // What it has ended is over, locked or not.
    await order('provision_user', { locked: true });
    mas.tokens.delete(token);
    expect((await whoami(token))[1].errcode).toBe('M_USER_LOCKED');
    await order('delete_device', { device_id: 'DEVICE' });
    expect((await whoami(token))[1].errcode).toBe('M_UNKNOWN_TOKEN');
  });

  it('takes the tokens of whom it locks for none a moment before it says so: clients keep their sessions then, too', async () => {
    const [token, ended] = [await sessionOf('DEVICE'), await sessionOf('ENDED')];
    for (const one of [token, ended]) expect((await whoami(one))[0]).toBe(200);
    // It is asked about each again.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 121_000 });
    try {
      for (const one of [token, ended]) mas.tokens.delete(one);
      mas.asked = [];
      const answers = Promise.all([token, ended].map(whoami));
      await expect.poll(() => mas.asked.length).toBe(2);
      await order('delete_device', { device_id: 'ENDED' });
      await order('provision_user', { locked: true });
      const codes = (await answers).map(([status, { errcode, soft_logout: isSoft }]) => [status, errcode, isSoft]);
      expect(codes).toEqual([
        [401, 'M_USER_LOCKED', true],
        [401, 'M_UNKNOWN_TOKEN', undefined],
      ]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('has devices made also for whom it has locked, of whom it knows a session that this server has not been told of', async () => {
    await sessionOf('DEVICE');
    await order('provision_user', { locked: true });
    expect(await order('sync_devices', { devices: ['DEVICE', 'MISSED'] })).toEqual([200, {}]);
    const token = await sessionOf('NEW');
    expect((await whoami(token))[1].errcode).toBe('M_USER_LOCKED');
    await order('provision_user', { locked: false });
    const [, { devices }] = await ask('GET', `${V3}/devices`, token);
    const ids = devices.map(({ device_id: id }: { device_id: string }) => id);
    expect(ids.toSorted()).toEqual(['DEVICE', 'MISSED', 'NEW']);
  });

  it('ends sessions and takes addresses away itself: here alone that would not last', async () => {
    await order('provision_user', { set_emails: [`${name}@example.org`] });
    const token = await sessionOf('DEVICE');
    const refused = [403, expect.objectContaining({ errcode: 'M_FORBIDDEN' })];
    for (const path of [`${V3}/logout`, `${V3}/logout/all`, '/_matrix/client/api/v1/logout'])
      expect(await ask('POST', path, token, {})).toEqual(refused);
    const address = { medium: 'email', address: `${name}@example.org` };
    expect(await ask('POST', `${V3}/account/3pid/delete`, token, address)).toEqual(refused);
    expect((await whoami(token))[0]).toBe(200);
    expect((await ask('GET', `${V3}/account/3pid`, token))[1].threepids).toMatchObject([address]);
  });

  it('lifts no lock that an operator has set', async () => {
    const scope = 'urn:matrix:client:api:* urn:synapse:admin:*';
    const admin = await sessionOf('ADMIN', { scope, device_id: 'ADMIN' });
    name = `${name}.locked`;
    const token = await sessionOf('DEVICE');
    const path = `/_matrix/client/v1/admin/lock/@${name}:a.example`;
    await order('provision_user', { locked: true });
    expect((await ask('PUT', path, admin, { locked: true }))[0]).toBe(200);
    expect((await order('provision_user', { locked: false }))[0]).toBe(200);
    expect((await whoami(token))[1].errcode).toBe('M_USER_LOCKED');
    expect((await ask('PUT', path, admin, { locked: false }))[0]).toBe(200);
    expect((await whoami(token))[0]).toBe(200);
  });

  it.each([{ erase: true }, {}])('closes accounts, and opens them again: %j', async (how) => {
    const emails = [`${name}@example.org`];
    await order('provision_user', { set_displayname: 'Somebody', set_emails: emails });
    const token = await sessionOf('DEVICE');
    expect((await order('reactivate_user', {}))[0]).toBe(200);
    expect((await whoami(token))[0]).toBe(200);
    expect(await order('delete_user', how)).toEqual([200, {}]);
    expect((await whoami(token))[0]).toBe(401);
    const query = (): Promise<[number, Body]> => ask('GET', `/_synapse/mas/query_user?localpart=${name}`, SECRET);
    const named = 'erase' in how ? null : 'Somebody';
    expect((await query())[1]).toMatchObject({ is_deactivated: true, display_name: named });
    expect((await order('provision_user', { set_displayname: 'Again' }))[1].errcode).toBe('M_USER_DEACTIVATED');
    expect(await order('reactivate_user', {})).toEqual([200, {}]);
    expect((await query())[1]).toMatchObject({ is_deactivated: false, display_name: named });
    expect((await whoami(token))[0]).toBe(401);
    const again = await sessionOf('AGAIN');
    expect((await whoami(again))[1]).toMatchObject({ user_id: userId, device_id: 'AGAIN' });
    expect((await ask('GET', `${V3}/account/3pid`, again))[1].threepids).toEqual([]);
    expect((await order('provision_user', { set_emails: emails }))[0]).toBe(200);
    const [, { room_id: room }] = await ask('POST', `${V3}/createRoom`, again, {});
    expect((await ask('PUT', `${V3}/rooms/${room}/send/m.room.message/1`, again, { body: 'again' }))[0]).toBe(200);
    expect((await ask('POST', '/_synapse/mas/reactivate_user', SECRET, { localpart: 'nobody' }))[0]).toBe(404);
  });

  it('lets keys be reset, at its own page', async () => {
    const token = await sessionOf('DEVICE');
    const upload = (key: string, auth?: object): Promise<[number, Body]> => {
      const master = { user_id: userId, usage: ['master'], keys: { [`ed25519:${key}`]: key } };
      return ask('POST', `${V3}/keys/device_signing/upload`, token, { master_key: master, ...(auth && { auth }) });
    };
    const keyOf = (letter: string): string => Buffer.alloc(32, letter).toString('base64').replace(/=+$/, '');
    expect((await upload(keyOf('a')))[0]).toBe(200);
    const [status, { params, session }] = await upload(keyOf('b'));
    expect([status, params['m.oauth'].url]).toEqual([
      401,
      'https://mas.example/account/?lang=en&action=org.matrix.cross_signing_reset',
    ]);
    expect((await upload(keyOf('b'), { session }))[0]).toBe(401);
    expect((await order('allow_cross_signing_reset', {}))[0]).toBe(200);
    expect((await upload(keyOf('b'), { session }))[0]).toBe(200);
  });

  it('goes through all of its users as fast as it can, which nobody else may', async () => {
    const path = `/_synapse/mas/is_localpart_available?localpart=${name}`;
    const settings = { ANNALS_MAS_URL: mas.url, ANNALS_MAS_SECRET: SECRET, ANNALS_RATE_LIMITS: 'on' };
    const limited = await WholeServer.start({ ...settings, ANNALS_RATE_LIMIT_FIGURES: 'default=20:1' });
    const ofMany = async (token: string): Promise<number[]> => {
      const answers = await Promise.all(Array.from({ length: 30 }, () => limited.request('GET', path, { token })));
      return [...new Set(answers.map(({ status }) => status))].toSorted();
    };
    try {
      expect(await ofMany(SECRET)).toEqual([200]);
      expect(await ofMany('wrong')).toEqual([403, 429]);
      expect(await ofMany(SECRET)).toEqual([200]);
    } finally {
      await limited.close();
    }
  });

  it('is what applications are told of, and nobody registers here besides', async () => {
    expect(await ask('GET', '/_matrix/client/v1/auth_metadata', undefined)).toEqual([200, METADATA]);
    expect((await ask('GET', '/_annals/account', undefined))[0]).toBe(404);
    expect((await ask('POST', '/_annals/oauth2/token', undefined, {}))[0]).toBe(404);
    const body = { username: name, password: 'x', auth: { type: 'm.login.dummy' } };
    expect((await ask('POST', `${V3}/register`, undefined, body))[0]).toBe(403);
    for (const token of [undefined, 'wrong', `${SECRET}x`])
      expect((await ask('POST', '/_synapse/mas/provision_user', token, { localpart: name }))[1].errcode).toBe(
        'M_FORBIDDEN',
      );
  });
});
