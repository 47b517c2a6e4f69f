import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashAddress } from '#identity/client/hash-address';
import { INVITATION_PATH } from '#identity/invitations/invitation-messages';
import { FakePeer } from '#testing/fake-peer';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { FederatedServer } from '../test/federated-server.js';
import { type IdentityBody, IdentityCalls } from '../test/identity-calls.js';

const V2 = '/_matrix/identity/v2';
const V1 = '/_matrix/identity/api/v1';
const TERMS = 'https://id.example/terms';
const SHARED_SECRET = 'a shared secret';

describe('the identity server', () => {
  let mails: MailServer;
  let peer: FakePeer;
  let server: FederatedServer;
  let identity: IdentityCalls;

  beforeAll(async () => {
    mails = await startMailServer();
    peer = await FakePeer.start();
    server = await FederatedServer.start((name) => ({
      ANNALS_ROLES: 'all,identity',
      ANNALS_SMTP_URL: mails.url,
      ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET,
      ANNALS_IDENTITY_TRUSTED_SERVERS: name,
    }));
    identity = new IdentityCalls(server, peer);
  });
  afterAll(async () => {
    await server.stop();
    await peer.stop();
    await mails.close();
  });

  const call: IdentityCalls['call'] = (...asked) => identity.call(...asked);
  const ok: IdentityCalls['ok'] = (...asked) => identity.ok(...asked);
  const useIt: IdentityCalls['useIt'] = (...asked) => identity.useIt(...asked);
  /** The token of an administrator of the homeserver. */
  const makeAdmin = async (username: string): Promise<string> => {
    const door = '/_synapse/admin/v1/register';
    const { nonce } = await ok('GET', door);
    const told = [nonce, username, 'a password', 'admin'].join('\0');
    const mac = createHmac('sha1', SHARED_SECRET).update(told).digest('hex');
    const body = { nonce, username, password: 'a password', admin: true, mac };
    return String((await ok('POST', door, { body }))['access_token']);
  };
  const page = async (method: string, path: string): Promise<string> => String((await call(method, path)).body['text']);
  const begin = async (
    token: string,
    email: string,
    more: object = {},
  ): Promise<{ sid: string; client_secret: string }> => {
    const body = {
      client_secret: `secret-${email.split('@')[0]}`,
      email,
      send_attempt: 1,
      ...more,
    };
    return {
      sid: String((await ok('POST', 'validate/email/requestToken', { token, body }))['sid']),
      client_secret: body.client_secret,
    };
  };
  const linkTo = async (email: string): Promise<string> =>
    /https?:\/\/[^/\s]+(\/_matrix\/\S+)/.exec((await mails.waitFor(email)).text)![1]!;
  const confirm = async (email: string): Promise<string> => {
    const link = await linkTo(email);
    const action = /action="([^"]+)"/.exec(await page('GET', link))![1]!.replaceAll('&#38;', '&');
    const { pathname, search } = new URL(action, `http://x${link}`);
    return page('POST', `${pathname}${search}`);
  };
  const lookUp = async (token: string, address: string, medium = 'email'): Promise<unknown> => {
    const { lookup_pepper: pepper, algorithms } = await ok('GET', 'hash_details', { token });
    expect(algorithms).toEqual(['sha256']);
    const hashed = hashAddress({ medium, address }, String(pepper));
    const { mappings } = await ok('POST', 'lookup', {
      token,
      body: { addresses: [hashed], algorithm: 'sha256', pepper },
    });
    return (mappings as IdentityBody)[hashed];
  };
  const bind = async (who: { userId: string; token: string }, email: string) => {
    const session = await begin(who.token, email);
    await confirm(email);
    return {
      session,
      signed: await ok('POST', '3pid/bind', {
        token: who.token,
        body: { ...session, mxid: who.userId },
      }),
    };
  };

  it('is there where the roles of the server say so, and nowhere else', async () => {
    expect(await call('GET', V2)).toEqual({ status: 200, body: {} });
    expect(await call('GET', V1)).toEqual({ status: 200, body: {} });
    const other = await FederatedServer.start();
    for (const path of [V2, `${V1}/lookup?medium=email&address=a@b.c`, `${V2}/terms`, `${V2}/hash_details`]) {
      expect(await call('GET', path, { on: other })).toMatchObject({
        status: 404,
        body: { errcode: 'M_UNRECOGNIZED' },
      });
    }
    await other.stop();
  });

  it('knows its users by OpenID tokens of their homeservers, until they log out', async () => {
    const alice = await useIt('alice');
    expect(await ok('GET', 'account', { token: alice.token })).toEqual({
      user_id: alice.userId,
    });
    identity.elsewhere.set('a lie', '@mallory:elsewhere.example');
    for (const access_token of ['nobody’s', 'a lie']) {
      const grant = { access_token, matrix_server_name: peer.name };
      expect(await call('POST', 'account/register', { body: grant })).toMatchObject({
        status: 401,
        body: { errcode: 'M_UNAUTHORIZED' },
      });
    }
    await ok('POST', 'account/logout', { token: alice.token, body: {} });
    for (const token of [alice.token, undefined]) {
      expect(await call('GET', 'account', { token: token! })).toMatchObject({
        status: 401,
        body: { errcode: 'M_UNAUTHORIZED' },
      });
    }
    const own = await server.register('own');
    const grant = await ok('POST', `/_matrix/client/v3/user/${encodeURIComponent(own.userId)}/openid/request_token`, {
      token: own.token,
      body: {},
    });
    const { token } = await ok('POST', 'account/register', { body: grant });
    expect(await ok('GET', 'account', { token: String(token) })).toEqual({
      user_id: own.userId,
    });
  });

  it('has its terms accepted before anything else, where it has some', async () => {
    const strict = await FederatedServer.start({
      ANNALS_ROLES: 'all,identity',
      ANNALS_IDENTITY_TERMS_URL: TERMS,
      ANNALS_IDENTITY_TERMS_VERSION: '2.0',
    });
    const own = await strict.register('own');
    const grant = await ok('POST', `/_matrix/client/v3/user/${encodeURIComponent(own.userId)}/openid/request_token`, {
      token: own.token,
      body: {},
      on: strict,
    });
    const token = String((await ok('POST', 'account/register', { body: grant, on: strict }))['token']);
    const name = `Terms of ${strict.name}`;
    expect(await ok('GET', 'terms', { on: strict })).toEqual({
      policies: {
        terms_of_service: { version: '2.0', en: { name, url: TERMS } },
      },
    });
    const refused = { status: 403, body: { errcode: 'M_TERMS_NOT_SIGNED' } };
    expect(await call('GET', 'account', { token, on: strict })).toMatchObject(refused);
    await ok('POST', 'terms', {
      token,
      body: { user_accepts: ['https://other.example'] },
      on: strict,
    });
    expect(await call('GET', 'hash_details', { token, on: strict })).toMatchObject(refused);
    const noList = await call('POST', 'terms', { token, body: { user_accepts: TERMS }, on: strict });
    expect(noList).toMatchObject({ status: 400, body: { errcode: 'M_BAD_JSON' } });
    await ok('POST', 'terms', {
      token,
      body: { user_accepts: [TERMS] },
      on: strict,
    });
    await ok('GET', 'hash_details', { token, on: strict });
    await strict.stop();
  });

  it('speaks all versions of the specification that the homeserver speaks', async () => {
    const { versions } = await ok('GET', '/_matrix/identity/versions');
    expect([(versions as string[])[0], (versions as string[]).at(-1)]).toEqual(['v1.1', 'v1.19']);
  });

  it('tells its keys', async () => {
    const keys = await ok('GET', '/_matrix/key/v2/server');
    const [[keyId, { key }]] = Object.entries(keys['verify_keys'] as Record<string, { key: string }>) as [
      [string, { key: string }],
    ];
    expect(await ok('GET', `pubkey/${keyId}`)).toEqual({ public_key: key });
    expect(await call('GET', 'pubkey/ed25519:other')).toMatchObject({
      status: 404,
      body: { errcode: 'M_NOT_FOUND' },
    });
    expect(await ok('GET', `pubkey/isvalid?public_key=${encodeURIComponent(key)}`)).toEqual({ valid: true });
    expect(await ok('GET', 'pubkey/isvalid?public_key=abc')).toEqual({
      valid: false,
    });
  });

  it('has who asks show that an address is theirs, by a page that asks once more, and makes it theirs', async () => {
    const alice = await useIt('alice');
    const session = await begin(alice.token, 'Alice@Mail.example');
    const query = new URLSearchParams(session).toString();
    const validated = () => call('GET', `3pid/getValidated3pid?${query}`, { token: alice.token });
    const bound = () =>
      call('POST', '3pid/bind', {
        token: alice.token,
        body: { ...session, mxid: alice.userId },
      });
    const link = await linkTo('alice@mail.example');
    expect(await page('GET', link)).toContain('alice@mail.example');
    expect(await validated()).toMatchObject({
      status: 400,
      body: { errcode: 'M_SESSION_NOT_VALIDATED' },
    });
    expect(await bound()).toMatchObject({
      status: 400,
      body: { errcode: 'M_SESSION_NOT_VALIDATED' },
    });
    expect(await confirm('alice@mail.example')).toContain('Thank you');
    expect(await validated()).toMatchObject({
      status: 200,
      body: { medium: 'email', address: 'alice@mail.example' },
    });
    expect(await lookUp(alice.token, 'alice@mail.example')).toBeUndefined();
    const { status, body } = await bound();
    expect(status).toBe(200);
    expect(body).toMatchObject({
      medium: 'email',
      address: 'alice@mail.example',
      mxid: alice.userId,
      signatures: { [server.name]: {} },
    });
    expect(await lookUp(alice.token, 'alice@mail.example')).toBe(alice.userId);
    expect(await ok('GET', `${V1}/lookup?medium=email&address=ALICE@mail.example`)).toEqual(body);
    expect(await ok('GET', `${V1}/lookup?medium=email&address=nobody@mail.example`)).toEqual({});
    const threepids = [
      ['email', 'alice@mail.example'],
      ['msisdn', '49301234567'],
    ];
    expect(await ok('POST', `${V1}/bulk_lookup`, { body: { threepids } })).toEqual({
      threepids: [['email', 'alice@mail.example', alice.userId]],
    });
  });

  it('takes a token once asked for, and no other, of the session alone', async () => {
    const bob = await useIt('bob');
    const session = await begin(bob.token, 'bob@mail.example');
    const submit = (body: object) =>
      call('POST', 'validate/email/submitToken', {
        token: bob.token,
        body: { ...session, ...body },
      });
    const right = new URL(`http://x${await linkTo('bob@mail.example')}`).searchParams.get('token')!;
    expect(await submit({ token: 'wrong' })).toMatchObject({
      status: 400,
      body: { errcode: 'M_TOKEN_INCORRECT' },
    });
    expect(await submit({ token: right, sid: 'other' })).toMatchObject({
      status: 404,
      body: { errcode: 'M_NO_VALID_SESSION' },
    });
    expect(await submit({ token: right, client_secret: 'other' })).toMatchObject({
      status: 404,
      body: { errcode: 'M_NO_VALID_SESSION' },
    });
    for (let n = 0; n < 10; n++) await submit({ token: 'wrong' });
    expect(await submit({ token: right })).toMatchObject({
      status: 400,
      body: { errcode: 'M_TOKEN_INCORRECT' },
    });
    expect(await page('GET', 'validate/email/submitToken?token=x&sid=y&client_secret=z')).toContain('holds no more');
    const invalid = { client_secret: 's', email: 'nonsense', send_attempt: 1 };
    expect(
      await call('POST', 'validate/email/requestToken', {
        token: bob.token,
        body: invalid,
      }),
    ).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_EMAIL' } });
  });

  it('tells who opens a link on a page what does not go', async () => {
    const links = [
      ['GET', 'validate/email/submitToken?sid=y'],
      ['POST', 'validate/email/submitToken/confirm?sid=y'],
      ['GET', `${V1}/validate/msisdn/submitToken?sid=y`],
      ['GET', `${INVITATION_PATH}?token=x`],
    ] as const;
    for (const [method, path] of links)
      expect([path, await call(method, path)]).toMatchObject([
        path,
        { status: 400, body: { text: expect.stringContaining('<h1>This does not go</h1>') as string } },
      ]);
    // What clients ask is answered as everywhere.
    expect(await call('POST', `${V1}/validate/email/submitToken`, { body: { sid: 'y' } })).toMatchObject({
      status: 400,
      body: { errcode: 'M_MISSING_PARAM' },
    });
  });

  it('sends another mail only for another attempt', async () => {
    const carol = await useIt('carol');
    const first = await begin(carol.token, 'carol@mail.example');
    const link = await linkTo('carol@mail.example');
    expect(await begin(carol.token, 'carol@mail.example')).toEqual(first);
    expect(await begin(carol.token, 'carol@mail.example', { send_attempt: 2 })).toEqual(first);
    const second = await mails.waitFor('carol@mail.example', 2);
    expect(second.text).toContain(link);
    expect(mails.received.filter(({ to }) => to.includes('carol@mail.example'))).toHaveLength(2);
  });

  it('has so many addresses of one user to be shown, and those of others all the same', async () => {
    const [many, one] = [await useIt('many'), await useIt('one')];
    for (let n = 0; n < 30; n++) await begin(many.token, `many-${n}@mail.example`);
    const body = { client_secret: 's', email: 'many-30@mail.example', send_attempt: 1 };
    const asked = (more: object = {}) =>
      call('POST', 'validate/email/requestToken', { token: many.token, body: { ...body, ...more } });
    expect(await asked()).toMatchObject({ status: 429, body: { errcode: 'M_LIMIT_EXCEEDED' } });
    expect(await asked({ next_link: `https://a.example/${'x'.repeat(500)}` })).toMatchObject({ status: 400 });
    await confirm('many-7@mail.example');
    await begin(one.token, 'one@mail.example');
  });

  it('makes an address nobody’s but whose who asks is', async () => {
    const dave = await useIt('dave');
    const session = await begin(dave.token, 'dave@mail.example');
    await confirm('dave@mail.example');
    const body = { ...session, mxid: '@billg:microsoft.example' };
    expect(await call('POST', '3pid/bind', { token: dave.token, body })).toMatchObject({
      status: 403,
      body: { errcode: 'M_FORBIDDEN' },
    });
  });

  it('makes an address no other user’s than whom the page named that asked for it, whoever knows the session', async () => {
    const [named, other] = [await useIt('named'), await useIt('other')];
    const session = await begin(named.token, 'named@mail.example');
    expect(await page('GET', await linkTo('named@mail.example'))).toContain(named.userId);
    await confirm('named@mail.example');
    const refused = { status: 403, body: { errcode: 'M_FORBIDDEN' } };
    const body = { ...session, mxid: other.userId };
    expect(await call('POST', '3pid/bind', { token: other.token, body })).toMatchObject(refused);
    expect(await call('POST', `${V1}/3pid/bind`, { body })).toMatchObject(refused);
    // Nor does a homeserver hear of it that would give it to somebody else.
    const validated = `3pid/getValidated3pid?${new URLSearchParams(session).toString()}`;
    expect(await call('GET', validated, { token: other.token })).toMatchObject(refused);
    expect(await call('GET', `${V1}/${validated}`)).toMatchObject(refused);
    expect(await ok('GET', validated, { token: named.token })).toMatchObject({ address: 'named@mail.example' });
    // The same secret goes on with nothing that somebody else began.
    const again = await begin(other.token, 'named@mail.example', { send_attempt: 2 });
    expect(again.sid).not.toBe(session.sid);
    expect(await call('POST', '3pid/bind', { token: other.token, body: { ...body, ...again } })).toMatchObject({
      body: { errcode: 'M_SESSION_NOT_VALIDATED' },
    });
    await ok('POST', '3pid/bind', { token: named.token, body: { ...session, mxid: named.userId } });
  });

  it('has no account have an address that was shown to it for somebody else, whoever knows the session', async () => {
    const [named, other] = [await server.register('told-of'), await server.register('not-told-of')];
    const openId = await named.ok('POST', `/user/${named.userId}/openid/request_token`, {});
    const token = String((await ok('POST', 'account/register', { body: openId }))['token']);
    const email = 'told-of@mail.example';
    const session = await begin(token, email);
    await confirm(email);
    const credentials = { ...session, id_server: server.name, id_access_token: token };
    const add = (who: typeof named): ReturnType<typeof named.call> => {
      const user = who === named ? 'told-of' : 'not-told-of';
      const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password: 'a password' };
      return who.call('POST', '/account/3pid/add', { ...credentials, auth });
    };
    const failed = { body: { errcode: 'M_THREEPID_AUTH_FAILED' } };
    expect(await add(other)).toMatchObject(failed);
    const auth = { type: 'm.login.email.identity', threepid_creds: credentials };
    const register = { username: 'new-one', password: 'a password', auth };
    expect(await call('POST', '/_matrix/client/v3/register', { body: register })).toMatchObject(failed);
    expect((await add(named)).status).toBe(200);
    expect((await named.ok('GET', '/account/3pid')).threepids).toMatchObject([{ medium: 'email', address: email }]);
  });

  it('ends it for who has the session, and for the homeserver of the user, and forgets the address', async () => {
    const erin = await useIt('erin');
    const { session } = await bind(erin, 'erin@mail.example');
    const threepid = { medium: 'email', address: 'erin@mail.example' };
    const unbind = (body: object) =>
      call('POST', '3pid/unbind', {
        body: { mxid: erin.userId, threepid, ...body },
      });
    expect(await unbind({})).toMatchObject({ status: 403 });
    expect(
      await unbind({
        ...session,
        threepid: { medium: 'email', address: 'alice@mail.example' },
      }),
    ).toMatchObject({ status: 403 });
    expect(await unbind(session)).toEqual({ status: 200, body: {} });
    expect(await lookUp(erin.token, 'erin@mail.example')).toBeUndefined();
    await ok('POST', '3pid/bind', {
      token: erin.token,
      body: { ...session, mxid: erin.userId },
    });
    expect(await lookUp(erin.token, 'erin@mail.example')).toBe(erin.userId);
    const signed = (mxid: string) =>
      peer.ask(server.origin, {
        destination: server.name as never,
        method: 'POST',
        path: `${V2}/3pid/unbind`,
        content: { mxid, threepid },
      });
    expect((await signed('@somebody:else.example')).status).toBe(403);
    expect((await signed(erin.userId)).status).toBe(200);
    expect(await lookUp(erin.token, 'erin@mail.example')).toBeUndefined();
  });

  it('has nothing more of a user of this homeserver whose account ends, also of what they asked for themselves', async () => {
    const own = await server.register('leaver');
    const openId = `/user/${encodeURIComponent(own.userId)}/openid/request_token`;
    const grant = await own.ok('POST', openId, {});
    const token = String((await ok('POST', 'account/register', { body: grant }))['token']);
    await bind({ userId: own.userId, token }, 'leaver@mail.example');
    const { token: other } = await useIt('looker');
    expect(await lookUp(other, 'leaver@mail.example')).toBe(own.userId);
    const auth = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'leaver' },
      password: 'a password',
    };
    await own.ok('POST', '/account/deactivate', { auth });
    await expect.poll(() => lookUp(other, 'leaver@mail.example')).toBeUndefined();
    expect((await call('GET', 'account', { token })).status).toBe(401);
  });

  it.each(['locked', 'suspended'] as const)(
    'does nothing in the name of a user of this homeserver while their account is %s',
    async (restriction) => {
      const own = await server.register(`${restriction}1`);
      const openId = `/user/${encodeURIComponent(own.userId)}/openid/request_token`;
      const token = String((await ok('POST', 'account/register', { body: await own.ok('POST', openId, {}) }))['token']);
      const admin = await makeAdmin(`root-of-${restriction}`);
      const door = `/_matrix/client/v1/admin/${restriction === 'locked' ? 'lock' : 'suspend'}/${own.userId}`;
      const restrict = (isOn: boolean) => ok('PUT', door, { token: admin, body: { [restriction]: isOn } });
      const address = `${restriction}@mail.example`;
      const invite = () => {
        const body = { medium: 'email', address, room_id: `!room:${server.name}`, sender: own.userId };
        return call('POST', 'store-invite', { token, body });
      };
      const status = async () => (await call('GET', 'account', { token })).status;
      await restrict(true);
      await expect.poll(status).toBe(401);
      expect(await invite()).toMatchObject({ status: 401, body: { errcode: 'M_UNAUTHORIZED' } });
      await restrict(false);
      await expect.poll(status).toBe(200);
      expect((await invite()).status).toBe(200);
    },
  );

  it.each([
    ['another password', 'account/password', { new_password: 'another password', logout_devices: false }],
    ['no session any more', 'logout/all', {}],
  ])(
    'ends what a user of this homeserver had of before they had %s, and that alone',
    async (_, door, body: { readonly new_password?: string }) => {
      const name = `renewed-${door.replace('/', '-')}`;
      const own = await server.register(name);
      const openId = `/user/${encodeURIComponent(own.userId)}/openid/request_token`;
      const grant = await own.ok('POST', openId, {});
      const token = String((await ok('POST', 'account/register', { body: grant }))['token']);
      const statusOf = async (one: string) => (await call('GET', 'account', { token: one })).status;
      expect(await statusOf(token)).toBe(200);
      const { device_id } = await own.ok('GET', '/account/whoami');
      const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: name }, password: 'a password' };
      await own.ok('POST', `/${door}`, { ...body, auth });
      expect(await statusOf(token)).toBe(401);
      const session = { ...auth, password: body.new_password ?? auth.password, device_id };
      const after = await ok('POST', '/_matrix/client/v3/login', { body: session });
      // The session that asked for it is over, whatever its device is called now.
      expect((await call('POST', 'account/register', { body: grant })).status).toBe(401);
      const again = await ok('POST', `/_matrix/client/v3${openId}`, { token: String(after['access_token']), body: {} });
      expect(await statusOf(String((await ok('POST', 'account/register', { body: again }))['token']))).toBe(200);
    },
  );

  it('refuses look-ups in plain text, and those by another pepper', async () => {
    const { token } = await useIt('frank');
    const { lookup_pepper: pepper } = await ok('GET', 'hash_details', {
      token,
    });
    const lookup = (body: object) =>
      call('POST', 'lookup', {
        token,
        body: {
          addresses: ['a@b.c email'],
          algorithm: 'sha256',
          pepper,
          ...body,
        },
      });
    expect(await lookup({ algorithm: 'none' })).toMatchObject({
      status: 400,
      body: { errcode: 'M_INVALID_PARAM' },
    });
    expect(await lookup({ pepper: 'old' })).toMatchObject({
      status: 400,
      body: { errcode: 'M_INVALID_PEPPER', lookup_pepper: pepper },
    });
  });

  describe('as a homeserver uses one', () => {
    let home: FederatedServer;
    beforeAll(async () => {
      home = await FederatedServer.start({ ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost' });
    });
    afterAll(() => home.stop());

    const bindFor = async (name: string, email: string) => {
      const user = await home.register(name);
      const grant = await user.ok('POST', `/user/${encodeURIComponent(user.userId)}/openid/request_token`, {});
      const token = String((await ok('POST', 'account/register', { body: grant }))['token']);
      const session = await begin(token, email);
      await confirm(email);
      const at = { id_server: server.name, id_access_token: token };
      await user.ok('POST', '/account/3pid/bind', { ...session, ...at });
      expect(await lookUp(token, email)).toBe(user.userId);
      return { user, token, session, at };
    };
    const of = (address: string) => ({ medium: 'email', address });

    it('makes addresses known for its users, and has it undone', async () => {
      const { user, token, session, at } = await bindFor('grace', 'grace@mail.example');
      const unknown = { ...session, ...at, sid: 'other' };
      expect(await user.call('POST', '/account/3pid/bind', unknown)).toMatchObject({
        status: 404,
        body: { errcode: 'M_NO_VALID_SESSION' },
      });
      for (const id_access_token of ['none', '\u0000'])
        expect(await user.call('POST', '/account/3pid/bind', { ...session, ...at, id_access_token })).toMatchObject({
          status: 403,
          body: { errcode: 'M_UNAUTHORIZED' },
        });
      const unbind = (body: object) => user.call('POST', '/account/3pid/unbind', body);
      expect(await unbind(of('other@mail.example'))).toEqual({
        status: 200,
        body: { id_server_unbind_result: 'no-support' },
      });
      const undone = { status: 200, body: { id_server_unbind_result: 'success' } };
      expect(await unbind({ ...of('grace@mail.example'), id_server: server.name })).toEqual(undone);
      expect(await lookUp(token, 'grace@mail.example')).toBeUndefined();
      await user.ok('POST', '/account/3pid/bind', { ...session, ...at });
      expect(await user.call('POST', '/account/3pid/delete', of('grace@mail.example'))).toEqual(undone);
      expect(await lookUp(token, 'grace@mail.example')).toBeUndefined();
      expect(await user.call('POST', '/account/3pid/delete', of('grace@mail.example'))).toMatchObject({
        body: { id_server_unbind_result: 'no-support' },
      });
    });

    it('does so where older clients ask it to', async () => {
      const { user, token, session, at } = await bindFor('kate', 'kate@mail.example');
      const old = '/_matrix/client/unstable/account/3pid';
      const undone = { id_server_unbind_result: 'success' };
      expect(await user.ok('POST', `${old}/unbind`, of('kate@mail.example'))).toEqual(undone);
      expect(await lookUp(token, 'kate@mail.example')).toBeUndefined();
      await user.ok('POST', `${old}/bind`, { ...session, ...at });
      expect(await lookUp(token, 'kate@mail.example')).toBe(user.userId);
    });

    it('has all undone once an account ends, and says where it could not', async () => {
      const { user } = await bindFor('heidi', 'heidi@mail.example');
      const { token } = await useIt('heidi-elsewhere');
      const auth = {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: 'heidi' },
        password: 'a password',
      };
      expect(await user.call('POST', '/account/deactivate', { auth, id_server: 'localhost/x' })).toMatchObject({
        status: 400,
        body: { errcode: 'M_INVALID_PARAM' },
      });
      expect(await user.ok('POST', '/account/deactivate', { auth })).toEqual({ id_server_unbind_result: 'success' });
      expect(await lookUp(token, 'heidi@mail.example')).toBeUndefined();
      const { user: ivan } = await bindFor('ivan', 'ivan@mail.example');
      await server.whileAway(async () => {
        const his = { ...auth, identifier: { type: 'm.id.user', user: 'ivan' } };
        const { id_server_unbind_result: result } = await ivan.ok('POST', '/account/deactivate', { auth: his });
        expect(result).toBe('no-support');
      });
    });

    it('asks none that its operator does not let it ask', async () => {
      const judy = await home.register('judy');
      const body = { id_server: 'localhost/x', id_access_token: 't', sid: 's', client_secret: 'c' };
      expect(await judy.call('POST', '/account/3pid/bind', body)).toMatchObject({ status: 400 });
    });
  });
});
