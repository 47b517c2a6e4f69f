import 'reflect-metadata';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SOLVED, startCaptchaServer } from '#testing/captcha-server';
import { PageReader } from '../test/page-reader.js';
import { type Answer, WholeServer } from '../test/whole-server.js';

// The suite looks at what it expects of each answer.
// oxlint-disable-next-line typescript/no-explicit-any
type Body = any;

const V3 = '/_matrix/client/v3';
const ACCOUNT = '/_annals/account';

describe('the account page', { timeout: 60_000 }, () => {
  let server: WholeServer;
  let count = 0;
  let user: string;
  let userId: string;
  let token: string;
  let browser: PageReader;
  let admin: string;

  beforeAll(async () => {
    server = await WholeServer.start({ ANNALS_OAUTH: 'on' });
    admin = await server.registerAdmin();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    user = `person${++count}`;
    ({ userId, token } = await server.register(user));
    browser = new PageReader(server);
  });

  const json = async (method: string, path: string, body?: object, as = token): Promise<[number, Body]> => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const { status, text } = await server.request(method, path, { token: as, ...sent });
    return [status, JSON.parse(text)];
  };
  const signIn = async (password = 'a password', by = browser): Promise<Answer> =>
    by.send(await by.get(ACCOUNT), '/_annals/sign-in', { username: user, password });
  const open = (action: string, more = ''): Promise<Answer> => browser.get(`${ACCOUNT}?action=${action}${more}`);

  it('is shown to who has signed in, whose cookie is another then', async () => {
    const page = await browser.get(ACCOUNT);
    const before = browser.cookie;
    expect([page.headers['x-frame-options'], page.headers['access-control-allow-origin']]).toEqual(['DENY', undefined]);
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(String(page.headers['set-cookie'])).toMatch(/HttpOnly; SameSite=Lax/);
    const wrong = await signIn('wrong');
    expect([wrong.status, wrong.text.includes('Unknown user or wrong password')]).toEqual([403, true]);
    expect((await signIn()).status).toBe(303);
    expect(browser.cookie).not.toBe(before);
    expect((await browser.get(ACCOUNT)).text).toContain(userId);
    // Whoever has set the first cookie knows nothing of the second.
    const { text } = await server.request('GET', ACCOUNT, { headers: { cookie: before } });
    expect(text).not.toContain(userId);
  });

  it('does nothing by a form that another page, or another browser, has made', async () => {
    await signIn();
    const page = await browser.get(ACCOUNT);
    const fields = { displayname: 'Changed' };
    const forged = await browser.post(`${ACCOUNT}/profile`, fields);
    const [, mine] = /name="form_token" value="([^"]*)"/.exec(page.text)!;
    const stranger = new PageReader(server);
    const [, theirs] = /name="form_token" value="([^"]*)"/.exec((await stranger.get(ACCOUNT)).text)!;
    const crossed = await browser.post(`${ACCOUNT}/profile`, { ...fields, form_token: theirs! });
    const away = await server.request('POST', `${ACCOUNT}/profile`, {
      body: new URLSearchParams({ ...fields, form_token: mine! }).toString(),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        cookie: browser.cookie,
        'sec-fetch-site': 'cross-site',
      },
    });
    expect([forged.status, crossed.status, away.status]).toEqual([403, 403, 403]);
    expect((await json('GET', `${V3}/profile/${userId}/displayname`))[1].displayname).toBeUndefined();
    expect((await browser.send(page, `${ACCOUNT}/profile`, fields)).status).toBe(303);
    expect((await json('GET', `${V3}/profile/${userId}/displayname`))[1].displayname).toBe('Changed');
  });

  it('shows their name to whoever lets nobody else read it', async () => {
    await signIn();
    await json('PUT', `${V3}/profile/${userId}/displayname`, { displayname: 'Only mine' });
    const path = `/_matrix/client/unstable/dev.annals.profile/${userId}/displayname/readers`;
    expect((await json('PUT', path, { readers: [] }))[0]).toBe(200);
    expect((await open('org.matrix.profile')).text).toContain('Only mine');
  });

  it('changes no name of who is suspended, and says so', async () => {
    await signIn();
    const path = `/_matrix/client/v1/admin/suspend/${userId}`;
    expect((await json('PUT', path, { suspended: true }, admin))[0]).toBe(200);
    const answer = await browser.send(await open('org.matrix.profile'), `${ACCOUNT}/profile`, { displayname: 'New' });
    expect([answer.status, answer.text.includes('role="alert"')]).toEqual([403, true]);
    expect((await json('GET', `${V3}/profile/${userId}/displayname`))[1].displayname).toBeUndefined();
  });

  it('shows devices, and signs one out', async () => {
    const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password: 'a password' };
    const [, other] = await json('POST', `${V3}/login`, { ...login, initial_device_display_name: '<b>Phone' });
    await signIn();
    const list = await open('org.matrix.devices_list');
    expect(list.text).toContain('&#60;b&#62;Phone');
    expect((await open('org.matrix.sessions_list')).text).toBe(list.text);
    const page = await open('org.matrix.device_delete', `&device_id=${other.device_id}`);
    expect(page.text).toContain('Sign this device out?');
    const refused = await browser.send(page, `${ACCOUNT}/devices`, { device_id: '' });
    expect([refused.status, refused.text.includes('role="alert"')]).toEqual([400, true]);
    expect(refused.text).toContain('<h1>Your devices</h1>');
    const done = await browser.send(page, `${ACCOUNT}/devices`, {});
    expect(done.headers.location).toContain('devices_list');
    expect((await json('GET', `${V3}/account/whoami`, undefined, other.access_token))[0]).toBe(401);
    expect((await json('GET', `${V3}/account/whoami`))[0]).toBe(200);
    expect((await open('org.matrix.device_view', `&device_id=${other.device_id}`)).text).toContain('Your devices');
  });

  it('changes the password of who knows it, and signs other browsers out', async () => {
    await signIn();
    const other = new PageReader(server);
    await signIn('a password', other);
    const page = await open('org.matrix.profile');
    const fields = { password: 'a password', new_password: 'another password', repeated: 'another password' };
    for (const wrong of [{ password: 'no' }, { repeated: 'x' }, { new_password: '', repeated: '' }]) {
      const answer = await browser.send(page, `${ACCOUNT}/password`, { ...fields, ...wrong });
      expect([answer.status >= 400, answer.text.includes('role="alert"')]).toEqual([true, true]);
    }
    expect((await browser.send(page, `${ACCOUNT}/password`, { ...fields, logout_devices: 'yes' })).status).toBe(303);
    expect((await json('GET', `${V3}/account/whoami`))[0]).toBe(401);
    expect((await browser.get(ACCOUNT)).text).toContain(userId);
    expect((await other.get(ACCOUNT)).text).not.toContain(userId);
    expect((await signIn('a password', other)).status).toBe(403);
    expect((await signIn('another password', other)).status).toBe(303);
  });

  it('signs out', async () => {
    await signIn();
    const kept = browser.cookie;
    await browser.send(await browser.get(ACCOUNT), '/_annals/sign-out', {});
    expect((await browser.get(ACCOUNT)).text).not.toContain(userId);
    const { text } = await server.request('GET', ACCOUNT, { headers: { cookie: kept } });
    expect(text).not.toContain(userId);
  });

  it('closes the account of who means it', async () => {
    await signIn();
    const page = await open('org.matrix.account_deactivate');
    // What is written stays with whoever has it.
    expect(page.text).toMatch(/what was kept of me and what I uploaded[^<]*from whoever comes later/);
    const fields = { password: 'a password', confirmed: userId };
    for (const wrong of [{ password: 'no' }, { confirmed: '@somebody:a.example' }])
      expect((await browser.send(page, `${ACCOUNT}/close`, { ...fields, ...wrong })).status).toBeGreaterThanOrEqual(
        400,
      );
    expect((await browser.send(page, `${ACCOUNT}/close`, fields)).text).toContain('Your account is closed');
    expect((await json('GET', `${V3}/account/whoami`))[0]).toBe(401);
    expect((await browser.get(ACCOUNT)).text).not.toContain(userId);
    expect((await signIn()).status).toBe(403);
  });

  it('shuts out who is locked, and shows itself again once they are not', async () => {
    await signIn();
    const lock = (locked: boolean): Promise<[number, Body]> =>
      json('PUT', `/_matrix/client/v1/admin/lock/${userId}`, { locked }, admin);
    expect((await lock(true))[0]).toBe(200);
    expect((await browser.get(ACCOUNT)).text).not.toContain(userId);
    const { status, text } = await signIn('a password', new PageReader(server));
    expect([status, text.includes('This account has been locked')]).toEqual([403, true]);
    expect((await signIn('a guess', new PageReader(server))).text).not.toContain('locked');
    await lock(false);
    expect((await signIn('a password', new PageReader(server))).status).toBe(303);
  });

  it('asks for what a registration needs before a name and a password', async () => {
    const closed = await WholeServer.start({ ANNALS_OAUTH: 'on', ANNALS_REGISTRATION: 'closed' });
    expect((await closed.request('GET', '/_annals/sign-up')).status).toBe(403);
    await closed.close();
    const by = await WholeServer.start({ ANNALS_OAUTH: 'on', ANNALS_REGISTRATION: 'token' });
    const reader = new PageReader(by);
    const first = await reader.get('/_annals/sign-up');
    const page = await reader.get(first.headers.location!);
    expect(page.text).toContain('name="token"');
    const refused = await reader.post(first.headers.location!, { token: 'wrong' });
    expect([refused.text.includes('role="alert"'), refused.text.includes('new-password')]).toEqual([true, false]);
    // Nobody gets past it by sending what comes later.
    const skipped = await reader.post(first.headers.location!, { username: 'x', password: 'y', repeated: 'y' });
    expect(skipped.text).toContain('name="token"');
    await by.close();
  });

  it('has nobody go through the stages of a registration that another browser has begun', async () => {
    const { location } = (await browser.get('/_annals/sign-up')).headers;
    const theirs = new PageReader(server);
    await theirs.get(ACCOUNT);
    for (const answer of [await theirs.get(location!), await theirs.post(location!, {})]) {
      expect([answer.status, answer.headers.location === location]).toEqual([303, false]);
      expect(answer.headers.location).toContain('/_annals/sign-up?');
    }
    expect((await browser.get(location!)).text).toContain('new-password');
  });

  it('makes accounts as registration is set, and goes on to what was asked for', async () => {
    const to = `${ACCOUNT}?action=org.matrix.devices_list`;
    const first = await browser.get(`/_annals/sign-up?to=${encodeURIComponent(to)}`);
    expect(first.status).toBe(303);
    const page = await browser.get(first.headers.location!);
    const fields = { username: `new.${user}`, password: 'new password', repeated: 'new password' };
    for (const wrong of [{ username: user }, { username: 'Ä' }, { repeated: 'x' }, { password: '', repeated: '' }]) {
      const answer = await browser.send(page, '/_annals/sign-up', { ...fields, ...wrong });
      expect([answer.status, answer.text.includes('role="alert"')]).toEqual([400, true]);
    }
    const another = { ...fields, username: `other.${user}` };
    const both = await Promise.all([fields, another].map((one) => browser.send(page, '/_annals/sign-up', one)));
    expect(both.filter(({ headers }) => headers.location === to)).toHaveLength(1);
    expect((await browser.get(ACCOUNT)).text).toMatch(new RegExp(`@(new|other)[.]${user}:a[.]example`));
    // Once.
    expect((await browser.send(page, '/_annals/sign-up', { ...fields, username: `second.${user}` })).status).toBe(303);
    expect((await json('GET', `${V3}/profile/@second.${user}:a.example`))[0]).toBe(404);
  });

  it('has the terms accepted that the operator has', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-terms-'));
    const terms = join(folder, 'terms.yaml');
    const document = { version: '1.2', en: { name: 'House rules', url: 'https://a.example/rules' } };
    writeFileSync(terms, JSON.stringify({ rules: document }));
    const captcha = await startCaptchaServer();
    const by = await WholeServer.start({
      ANNALS_OAUTH: 'on',
      ANNALS_TERMS: terms,
      ANNALS_RECAPTCHA_SITE_KEY: 'site',
      ANNALS_RECAPTCHA_SECRET: 'secret',
      ANNALS_RECAPTCHA_VERIFY_URL: captcha.verifyUrl,
    });
    const reader = new PageReader(by);
    const { location: first } = (await reader.get('/_annals/sign-up')).headers;
    const path = first!.replace('step=0', 'step=1');
    // Its button may be pressed twice, which is nothing said of the rules; nor do they go back to what is passed.
    for (const _ of ['once', 'again'])
      expect((await reader.post(first!, { 'g-recaptcha-response': SOLVED })).headers.location).toBe(path);
    expect((await reader.get(first!)).headers.location).toBe(path);
    const shown = (await reader.get(path)).text;
    expect([shown.includes('House rules'), shown.includes('role="alert"')]).toEqual([true, false]);
    expect((await reader.post(path, { ticked: '' })).text).toContain('role="alert"');
    const passed = await reader.post(path, { ticked: '', 'accept rules': '1.2' });
    const last = path.replace('step=1', 'step=2');
    expect([passed.status, passed.headers.location]).toEqual([303, last]);
    const fields = { username: 'accepting', password: 'a password', repeated: 'a password' };
    const made = await reader.send(await reader.get(last), '/_annals/sign-up', fields);
    expect(made.headers.location).toBe(ACCOUNT);
    expect((await reader.get(ACCOUNT)).text).toContain('@accepting:a.example');
    await by.close();
    await captcha.close();
    rmSync(folder, { recursive: true });
  });

  it('lets other keys be made by an application, once for each time that it is allowed', async () => {
    const oauth = '/_annals/oauth2';
    const redirect = 'http://127.0.0.1/callback';
    const verifier = randomBytes(32).toString('hex');
    const metadata = { client_uri: 'https://app.example', application_type: 'native', redirect_uris: [redirect] };
    const [, { client_id: clientId }] = await json('POST', `${oauth}/register`, metadata);
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirect,
      scope: 'urn:matrix:client:api:* urn:matrix:client:device:APPLICATION',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    await signIn();
    const path = `${oauth}/authorize?${query.toString()}`;
    const { headers } = await browser.send(await browser.get(path), `${oauth}/authorize`, { answer: 'yes' });
    const { text } = await server.request('POST', `${oauth}/token`, {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: clientId,
        redirect_uri: redirect,
        code_verifier: verifier,
        code: new URL(headers.location!).searchParams.get('code')!,
      }).toString(),
    });
    const { access_token: application } = JSON.parse(text) as { access_token: string };
    const keys = (): object => {
      const key = randomBytes(32).toString('base64').replace(/=+$/, '');
      return { master_key: { user_id: userId, usage: ['master'], keys: { [`ed25519:${key}`]: key } } };
    };
    const upload = (body: object): Promise<[number, Body]> =>
      json('POST', `${V3}/keys/device_signing/upload`, body, application);
    expect(await upload(keys())).toEqual([200, {}]);
    const others = keys();
    const [status, asked] = await upload(others);
    expect(status).toBe(401);
    expect(asked.flows).toEqual([{ stages: ['m.oauth'] }, { stages: ['org.matrix.cross_signing_reset'] }]);
    const { url } = asked.params['m.oauth'] as { url: string };
    expect([asked.params['org.matrix.cross_signing_reset'].url, new URL(url).searchParams.get('action')]).toEqual([
      url,
      'org.matrix.cross_signing_reset',
    ]);
    const auth = { session: asked.session };
    expect((await upload({ ...others, auth }))[0]).toBe(401);
    const page = await browser.get(new URL(url).pathname + new URL(url).search);
    expect((await browser.send(page, `${ACCOUNT}/key-reset`, { password: 'no' })).status).toBe(403);
    expect((await upload({ ...others, auth }))[0]).toBe(401);
    expect((await browser.send(page, `${ACCOUNT}/key-reset`, { password: 'a password' })).status).toBe(303);
    expect(await upload({ ...others, auth })).toEqual([200, {}]);
    const [, again] = await upload(keys());
    expect((await upload({ ...keys(), auth: { session: again.session } }))[0]).toBe(401);
    // An application that names no session, but asks until it may.
    const last = keys();
    expect(await upload(last)).toMatchObject([401, { completed: [] }]);
    await browser.send(await browser.get(new URL(url).pathname + new URL(url).search), `${ACCOUNT}/key-reset`, {
      password: 'a password',
    });
    expect(await upload(last)).toEqual([200, {}]);
    const [, refused] = await upload(keys());
    expect([refused.flows, refused.errcode]).toEqual([asked.flows, undefined]);
  });
});
