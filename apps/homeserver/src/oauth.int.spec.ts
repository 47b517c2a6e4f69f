import 'reflect-metadata';
import { hash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { registerAdmin } from '#testing/register-admin';
import { PageReader } from '../test/page-reader.js';
import { type Answer, WholeServer } from '../test/whole-server.js';

// The suite looks at what it expects of each answer.
// oxlint-disable-next-line typescript/no-explicit-any
type Body = any;

const WEB = {
  client_name: 'A client',
  client_uri: 'https://app.example/',
  redirect_uris: ['https://app.example/callback', 'https://app.example/other?a=b'],
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code', 'implicit'],
  response_types: ['code', 'token'],
  token_endpoint_auth_method: 'none',
};
const NATIVE = {
  client_uri: 'https://app.example',
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback', 'example.app.mobile:/callback'],
};
const VERIFIER = 'a'.repeat(50);
const OAUTH = '/_annals/oauth2';
const scopeOf = (device: string): string => `urn:matrix:client:api:* urn:matrix:client:device:${device}`;

describe('the OAuth 2.0 API', { timeout: 60_000 }, () => {
  let server: WholeServer;
  let count = 0;
  let user: string;
  let browser: PageReader;

  beforeAll(async () => void (server = await WholeServer.start({ ANNALS_OAUTH: 'on' })));
  afterAll(() => server.close());
  beforeEach(async () => {
    user = `user${++count}`;
    await server.register(user);
    browser = new PageReader(server);
  });

  const json = async (method: string, path: string, body?: object, token?: string): Promise<[number, Body]> => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const { status, text } = await server.request(method, path, { token, ...sent });
    return [status, JSON.parse(text)];
  };
  const form = async (path: string, fields: Readonly<Record<string, string>>): Promise<[number, Body]> => {
    const { status, text } = await server.request('POST', OAUTH + path, {
      body: new URLSearchParams(fields).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    return [status, JSON.parse(text)];
  };
  const register = async (metadata: object = WEB): Promise<string> => {
    const [status, { client_id }] = await json('POST', `${OAUTH}/register`, metadata);
    expect(status).toBe(201);
    return client_id;
  };
  const urlOf = (clientId: string, more: Readonly<Record<string, string | undefined>> = {}): string => {
    const parameters = {
      response_type: 'code',
      client_id: clientId,
      redirect_uri: WEB.redirect_uris[0],
      scope: scopeOf('DEVICE'),
      state: 'a state&=',
      code_challenge: hash('sha256', VERIFIER, 'base64url'),
      code_challenge_method: 'S256',
      response_mode: 'fragment',
      ...more,
    };
    const given = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return `${OAUTH}/authorize?${new URLSearchParams(given).toString()}`;
  };
  const signIn = async (path: string, as = user): Promise<Answer> => {
    const page = await browser.get(path);
    return browser.send(page, '/_annals/sign-in', { username: as, password: 'a password' });
  };
  const allow = async (path: string, answer = 'yes'): Promise<URL> => {
    const page = await browser.get(path);
    const { status, headers } = await browser.send(page, path.split('?')[0]!, { answer });
    expect(status).toBe(303);
    return new URL(headers.location!);
  };
  const codeOf = (url: URL): string =>
    new URLSearchParams(url.hash === '' ? url.search : url.hash.slice(1)).get('code')!;
  const redeem = (
    clientId: string,
    code: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<[number, Body]> =>
    form('/token', {
      grant_type: 'authorization_code',
      client_id: clientId,
      code,
      redirect_uri: WEB.redirect_uris[0]!,
      code_verifier: VERIFIER,
      ...more,
    });
  const tokensFor = async (clientId: string, device = `D${randomBytes(6).toString('hex')}`): Promise<Body> => {
    const path = urlOf(clientId, { scope: scopeOf(device) });
    if (!browser.isSignedIn) await signIn(path);
    const [status, body] = await redeem(clientId, codeOf(await allow(path)));
    expect([status, body.error]).toEqual([200, undefined]);
    return body;
  };
  const refresh = (clientId: string, token: string): Promise<[number, Body]> =>
    form('/token', { grant_type: 'refresh_token', client_id: clientId, refresh_token: token });
  const whoami = (token: string): Promise<[number, Body]> =>
    json('GET', '/_matrix/client/v3/account/whoami', undefined, token);

  it('is told of where it is on, and has no paths where it is off', async () => {
    const [status, metadata] = await json('GET', '/_matrix/client/v1/auth_metadata');
    expect([status, metadata]).toEqual([200, expect.objectContaining({ issuer: expect.stringMatching(/^http.*\/$/) })]);
    for (const path of [
      '/_matrix/client/unstable/org.matrix.msc2965/auth_metadata',
      '/.well-known/oauth-authorization-server',
    ])
      expect(await json('GET', path)).toEqual([200, metadata]);
    const off = await WholeServer.start();
    for (const [method, path] of [
      ['GET', '/_matrix/client/v1/auth_metadata'],
      ['POST', `${OAUTH}/token`],
      ['GET', '/_annals/account'],
    ] as const) {
      const { status: none, text } = await off.request(method, path);
      expect([none, JSON.parse(text).errcode]).toEqual([404, 'M_UNRECOGNIZED']);
    }
    await off.close();
  });

  it('gives an application the session that a user let it have', async () => {
    const clientId = await register();
    const path = urlOf(clientId);
    const signedIn = await signIn(path);
    expect([signedIn.status, signedIn.headers.location]).toEqual([303, path.replaceAll('%3A*', '%3A*')]);
    const page = await browser.get(path);
    for (const text of ['A client', 'app.example', `@${user}:`, 'DEVICE']) expect(page.text).toContain(text);
    const url = await allow(path);
    expect(url.href).toMatch(/^https:\/\/app\.example\/callback#code=/);
    const answered = new URLSearchParams(url.hash.slice(1));
    expect([answered.get('state'), answered.get('iss')]).toEqual(['a state&=', expect.stringMatching(/^http.*\/$/)]);
    const [status, tokens] = await redeem(clientId, answered.get('code')!);
    expect([status, tokens]).toEqual([
      200,
      {
        access_token: expect.stringMatching(/^annals_at_/),
        refresh_token: expect.stringMatching(/^annals_rt_/),
        token_type: 'Bearer',
        expires_in: 3600,
        scope: scopeOf('DEVICE'),
      },
    ]);
    expect(await whoami(tokens.access_token)).toEqual([
      200,
      { user_id: expect.stringContaining(`@${user}:`), device_id: 'DEVICE', is_guest: false },
    ]);
    const [, devices] = await json('GET', '/_matrix/client/v3/devices', undefined, tokens.access_token);
    expect(devices.devices).toContainEqual(expect.objectContaining({ device_id: 'DEVICE', display_name: 'A client' }));
  });

  it('takes a code once, of the application that it was sent to, where it was sent, with the secret of who asked', async () => {
    const [clientId, other] = [await register(), await register({ ...WEB, client_name: 'Another' })];
    const path = urlOf(clientId);
    await signIn(path);
    const code = codeOf(await allow(path));
    const wrong = { code_verifier: 'b'.repeat(50) };
    for (const [client, more] of [
      [other, {}],
      [clientId, { redirect_uri: WEB.redirect_uris[1]! }],
      [clientId, wrong],
      [clientId, { code: `${code}x` }],
      [clientId, { code: code.replace(/\.[^.]*$/, `.${Buffer.from('somebody').toString('base64url')}`) }],
    ] as const)
      expect(await redeem(client, code, more)).toEqual([400, expect.objectContaining({ error: 'invalid_grant' })]);
    const [status, tokens] = await redeem(clientId, code);
    expect(status).toBe(200);
    expect((await whoami(tokens.access_token))[0]).toBe(200);
    expect((await redeem(clientId, code))[1].error).toBe('invalid_grant');
    // Whoever has come by the code may have used it first.
    expect(await whoami(tokens.access_token)).toEqual([401, expect.objectContaining({ errcode: 'M_UNKNOWN_TOKEN' })]);
  });

  it('takes no code that was sent before the password became another, or all sessions were ended', async () => {
    const clientId = await register();
    const path = urlOf(clientId);
    await signIn(path);
    const logIn = async (): Promise<string> => {
      const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password: 'a password' };
      return (await json('POST', '/_matrix/client/v3/login', login))[1].access_token;
    };
    const before = codeOf(await allow(path));
    expect((await json('POST', '/_matrix/client/v3/logout/all', {}, await logIn()))[0]).toBe(200);
    expect(await redeem(clientId, before)).toEqual([400, expect.objectContaining({ error: 'invalid_grant' })]);
    // Nor is the browser signed in any more, which could let in another.
    expect((await browser.get(path)).text).toContain('<h1>Sign in</h1>');
    await signIn(path);
    const code = codeOf(await allow(path));
    const identifier = { type: 'm.id.user', user };
    const auth = { type: 'm.login.password', identifier, password: 'a password' };
    const change = { new_password: 'another', logout_devices: false, auth };
    expect((await json('POST', '/_matrix/client/v3/account/password', change, await logIn()))[0]).toBe(200);
    expect(await redeem(clientId, code)).toEqual([400, expect.objectContaining({ error: 'invalid_grant' })]);
  });

  it('tells an application what is wrong with its request, and nobody whose address it is not', async () => {
    const clientId = await register();
    const errorOf = async (more: Readonly<Record<string, string | undefined>>): Promise<unknown> => {
      const { status, headers } = await browser.get(urlOf(clientId, more));
      expect(status).toBe(303);
      const url = new URL(headers.location!);
      const parameters = new URLSearchParams(url.hash === '' ? url.search : url.hash.slice(1));
      expect([url.origin, url.pathname, parameters.get('state')]).toEqual([
        'https://app.example',
        '/callback',
        'a state&=',
      ]);
      return parameters.get('error');
    };
    expect(await errorOf({ code_challenge: undefined })).toBe('invalid_request');
    expect(await errorOf({ code_challenge_method: 'plain' })).toBe('invalid_request');
    expect(await errorOf({ code_challenge_method: undefined })).toBe('invalid_request');
    expect(await errorOf({ response_type: 'token' })).toBe('unsupported_response_type');
    expect(await errorOf({ response_mode: 'form_post' })).toBe('invalid_request');
    expect(await errorOf({ prompt: 'none' })).toBe('interaction_required');
    for (const scope of [
      '',
      'openid',
      scopeOf('A B'.replace(' ', '\u0000')),
      'urn:matrix:client:api:*',
      `${scopeOf('A')} urn:matrix:client:device:B`,
    ])
      expect([scope, await errorOf({ scope })]).toEqual([scope, 'invalid_scope']);
    await signIn(urlOf(clientId));
    const denied = await allow(urlOf(clientId, { response_mode: 'query' }), 'no');
    expect(denied.searchParams.get('error')).toBe('access_denied');
    for (const redirect of [
      'https://app.example/callback/',
      'https://app.example/callback?x',
      'https://app.example.evil.example/callback',
      'https://evil.example/callback',
      'https://app.example@evil.example/callback',
      '//app.example/callback',
      undefined,
    ]) {
      const { status, headers, text } = await browser.get(urlOf(clientId, { redirect_uri: redirect }));
      expect([status, headers.location]).toEqual([400, undefined]);
      expect(text).toContain('redirect_uri');
    }
    expect((await browser.get(urlOf(`${clientId}x`))).status).toBe(400);
    expect((await browser.get(`${urlOf(clientId)}&redirect_uri=https://evil.example`)).status).toBe(400);
  });

  it('answers applications on the device itself at any port, and by a scheme of their own', async () => {
    const clientId = await register(NATIVE);
    const loopback = 'http://127.0.0.1:43210/callback';
    const path = urlOf(clientId, { redirect_uri: loopback, response_mode: undefined });
    await signIn(path);
    const url = await allow(path);
    expect(url.href).toMatch(/^http:\/\/127\.0\.0\.1:43210\/callback\?code=/);
    expect((await redeem(clientId, codeOf(url), { redirect_uri: loopback }))[0]).toBe(200);
    const mobile = await allow(
      urlOf(clientId, { redirect_uri: 'example.app.mobile:/callback', response_mode: 'query' }),
    );
    expect(mobile.href).toMatch(/^example\.app\.mobile:\/callback\?code=/);
    for (const redirect of [
      'http://127.0.0.1:1@evil.example/callback',
      'http://127.0.0.1.evil.example/callback',
      'http://localhost:1/callback',
    ])
      expect((await browser.get(urlOf(clientId, { redirect_uri: redirect }))).status).toBe(400);
  });

  it('refreshes tokens, keeps the old ones until the new ones are used, and ends a session whose old ones come again', async () => {
    const clientId = await register();
    const first = await tokensFor(clientId);
    const [, lost] = await refresh(clientId, first.refresh_token);
    const [status, second] = await refresh(clientId, first.refresh_token);
    expect([status, second.scope]).toEqual([200, first.scope]);
    expect(lost.refresh_token).not.toBe(second.refresh_token);
    expect((await whoami(first.access_token))[0]).toBe(200);
    expect((await whoami(second.access_token))[0]).toBe(200);
    await expect.poll(async () => (await whoami(first.access_token))[0]).toBe(401);
    const another = await register({ ...WEB, client_name: 'Another' });
    expect((await refresh(another, second.refresh_token))[1].error).toBe('invalid_grant');
    expect((await whoami(second.access_token))[0]).toBe(200);
    const [, old] = await json('POST', '/_matrix/client/v3/refresh', { refresh_token: second.refresh_token });
    expect(old.errcode).toBe('M_UNKNOWN_TOKEN');
    expect((await whoami(second.access_token))[0]).toBe(200);
    expect((await refresh(clientId, first.refresh_token))[1].error).toBe('invalid_grant');
    expect((await whoami(second.access_token))[0]).toBe(401);
    expect((await refresh(clientId, second.refresh_token))[1].error).toBe('invalid_grant');
    expect((await refresh(clientId, 'annals_rt_none'))[1].error).toBe('invalid_grant');
  });

  it('keeps the session of who is locked: an application that gets no new tokens would let go of its keys', async () => {
    const clientId = await register();
    const first = await tokensFor(clientId);
    const [, { user_id: userId }] = await whoami(first.access_token);
    const admin = await server.registerAdmin();
    const lock = (locked: boolean) => json('PUT', `/_matrix/client/v1/admin/lock/${userId}`, { locked }, admin);
    expect((await lock(true))[0]).toBe(200);
    const [status, second] = await refresh(clientId, first.refresh_token);
    expect(status).toBe(200);
    expect(await whoami(second.access_token)).toEqual([
      401,
      expect.objectContaining({ errcode: 'M_USER_LOCKED', soft_logout: true }),
    ]);
    await lock(false);
    expect((await whoami(second.access_token))[0]).toBe(200);
  });

  it('revokes a session by either token, whoever has it', async () => {
    const clientId = await register();
    for (const kind of ['access_token', 'refresh_token']) {
      const tokens = await tokensFor(clientId);
      expect(await form('/revoke', { token: tokens[kind], token_type_hint: kind })).toEqual([200, {}]);
      expect((await whoami(tokens.access_token))[0]).toBe(401);
      expect(await form('/revoke', { token: tokens[kind] })).toEqual([200, {}]);
    }
    expect((await form('/revoke', {}))[1].error).toBe('invalid_request');
  });

  it('lets a device in whose code somebody types, once they say so', async () => {
    const clientId = await register();
    const begin = async (): Promise<Body> => {
      expect((await form('/device', { client_id: clientId }))[1].error).toBe('invalid_scope');
      const [status, codes] = await form('/device', { client_id: clientId, scope: scopeOf('TELEVISION') });
      expect([status, codes]).toEqual([
        200,
        {
          device_code: expect.any(String),
          user_code: expect.stringMatching(/^[B-Z]{4}-[B-Z]{4}$/),
          verification_uri: expect.stringMatching(/\/oauth2\/link$/),
          verification_uri_complete: expect.stringContaining(`?user_code=${codes.user_code}`),
          expires_in: 900,
          interval: 3,
        },
      ]);
      return codes;
    };
    const poll = (code: string, client = clientId): Promise<[number, Body]> =>
      form('/token', { grant_type: WEB.grant_types[2]!, client_id: client, device_code: code });
    const { device_code: code, user_code: userCode } = await begin();
    expect((await poll(code))[1].error).toBe('authorization_pending');
    expect((await poll(code))[1].error).toBe('slow_down');
    expect((await poll('none'))[1].error).toBe('expired_token');
    const path = `${OAUTH}/link?user_code=${userCode.toLowerCase().replace('-', '')}`;
    await signIn(path);
    const page = await browser.get(path);
    expect(page.text).toContain('TELEVISION');
    // Its button may be pressed twice, and somebody else may have the code as well.
    const stranger = new PageReader(server);
    await server.register(`${user}-too`);
    const strange = { username: `${user}-too`, password: 'a password' };
    await stranger.send(await stranger.get(path), '/_annals/sign-in', strange);
    const theirs = await stranger.get(path);
    const [first, late, no, again] = await Promise.all([
      browser.send(page, OAUTH, { answer: 'yes' }),
      stranger.send(theirs, OAUTH, { answer: 'yes' }),
      stranger.send(theirs, OAUTH, { answer: 'no' }),
      browser.send(page, OAUTH, { answer: 'yes' }),
    ]);
    for (const { text } of [first, again, await browser.send(page, OAUTH, { answer: 'yes' })])
      expect(text).toContain('The device is let in');
    for (const { text } of [late, no]) expect(text).toContain('No device that waits shows this code');
    expect((await browser.get(path)).status).toBe(404);
    const [status, tokens] = await poll(code);
    expect([status, tokens.scope]).toEqual([200, scopeOf('TELEVISION')]);
    expect((await whoami(tokens.access_token))[1]).toMatchObject({
      user_id: `@${user}:a.example`,
      device_id: 'TELEVISION',
    });
    expect((await poll(code))[1].error).toBe('invalid_grant');
    const refused = await begin();
    const refusedPath = `${OAUTH}/link?user_code=${refused.user_code}`;
    const asked = await browser.get(refusedPath);
    for (const answer of ['no', 'no', 'yes'])
      expect((await browser.send(asked, OAUTH, { answer })).text).toContain('Not let in');
    expect((await poll(refused.device_code))[1].error).toBe('access_denied');
  });

  it("gives no rights of administrators but where they were asked for, and leaves what is the account page's to that", async () => {
    const clientId = await register();
    const { access_token: token } = await tokensFor(clientId);
    for (const [method, path] of [
      ['POST', 'account/password'],
      ['POST', 'account/deactivate'],
      ['DELETE', 'devices/DEVICE'],
      ['POST', 'delete_devices'],
    ] as const)
      expect(await json(method, `/_matrix/client/v3/${path}`, {}, token)).toEqual([
        403,
        expect.objectContaining({ errcode: 'M_FORBIDDEN' }),
      ]);
    const [, { capabilities }] = await json('GET', '/_matrix/client/v3/capabilities', undefined, token);
    expect(capabilities['m.change_password']).toEqual({ enabled: false });
    await registerAdmin({
      async call(method, path, { body } = {}) {
        const [status, answer] = await json(method, path, body as object | undefined);
        return { status, body: answer };
      },
    });
    browser = new PageReader(server);
    const isAdmin = async (scope: string): Promise<boolean> => {
      const path = urlOf(clientId, { scope });
      if (!browser.isSignedIn) await signIn(path, 'root');
      const [, tokens] = await redeem(clientId, codeOf(await allow(path)));
      expect(tokens.scope).toBe(scope);
      const lock = `/_matrix/client/v1/admin/lock/@${user}:a.example`;
      return (await json('GET', lock, undefined, tokens.access_token))[0] === 200;
    };
    expect(await isAdmin(scopeOf('TOOL'))).toBe(false);
    expect(await isAdmin(`${scopeOf('TOOL')} urn:synapse:admin:*`)).toBe(true);
  });

  it('gives one session for a code that comes twice at once, and ends that', async () => {
    const clientId = await register();
    const path = urlOf(clientId);
    await signIn(path);
    const code = codeOf(await allow(path));
    const answers = await Promise.all([redeem(clientId, code), redeem(clientId, code), redeem(clientId, code)]);
    const given = answers.filter(([status]) => status === 200);
    expect(given).toHaveLength(1);
    expect((await whoami(given[0]![1].access_token))[0]).toBe(401);
  });
});
