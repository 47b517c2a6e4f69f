import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '#testing/free-port';
import { HandBrowser, linkOn, type Visit } from './support/hand-browser.js';
import { Client, Homeserver, registerAt } from './support/homeserver.js';
import { OidcProvider, type Person } from './support/oidc-provider.js';

const TRUSTED = 'https://app.client.example/web/';
const UNKNOWN = 'https://other.client.example/?a=b#/login';
const CALLBACK = '/_matrix/client/unstable/dev.annals.sso/callback';

const person = (name: string, further: object = {}): Person => ({
  sub: `id-of-${name}`,
  preferred_username: name,
  name: `The ${name}`,
  ...further,
});

/** Everything that has to do with log-ins of people whose accounts are at a provider, against one of another make. */
describe('single sign-on by OpenID Connect', () => {
  const folder = mkdtempSync(join(tmpdir(), 'annals-sso-'));
  let provider: OidcProvider;
  let server: Homeserver;
  const browser = (): HandBrowser => new HandBrowser([new URL(server.base).host, provider.host]);
  const redirectTo = (id: string, redirectUrl: string): string =>
    `${server.base}/_matrix/client/v3/login/sso/redirect/${id}?redirectUrl=${encodeURIComponent(redirectUrl)}`;

  beforeAll(async () => {
    const port = await freePort();
    const base = `http://127.0.0.1:${port}`;
    const ids = ['main', 'strict', 'linking', 'asking', 'closed', 'explicit', 'public'];
    provider = await OidcProvider.start(ids.map((id) => `${base}${CALLBACK}/${id}`));
    const { issuer } = provider;
    const confidential = { issuer, client_id: 'annals', client_secret: 'a secret of the server' };
    const scopes = ['openid', 'profile', 'email', 'groups'];
    const claims = { groups: 'groups', email: '{email}' };
    const providers = [
      {
        id: 'main',
        name: 'The <main> one',
        brand: 'gitlab',
        icon: 'mxc://e2e.example/icon',
        ...confidential,
        scopes,
        claims,
        admin_groups: ['admins'],
        room_groups: { staff: ['#staff:e2e.example'], closed: ['#closed:e2e.example'] },
        room_inviter: '@owner:e2e.example',
      },
      { id: 'strict', name: 'Given names only', ...confidential, user_name: 'given' },
      {
        id: 'linking',
        name: 'Linking',
        ...confidential,
        existing_accounts: 'link',
        claims: { subject: 'linked-{sub}' },
      },
      { id: 'asking', name: 'Asking', ...confidential, user_name: 'ask', claims: { subject: 'asked-{sub}' } },
      { id: 'closed', name: 'No new accounts', ...confidential, new_accounts: false, claims: { subject: 'c-{sub}' } },
      {
        id: 'explicit',
        name: 'Not discovered',
        issuer,
        client_id: 'posting',
        client_secret: 'another secret',
        client_auth: 'post',
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        userinfo_endpoint: `${issuer}/me`,
        jwks_uri: `${issuer}/jwks`,
        claims: { subject: 'explicit-{sub}' },
      },
      { id: 'public', name: 'No secret', issuer, client_id: 'public', claims: { subject: 'public-{sub}' } },
    ];
    writeFileSync(join(folder, 'providers.yaml'), JSON.stringify({ providers }));
    server = new Homeserver({
      env: { ANNALS_SSO_PROVIDERS: join(folder, 'providers.yaml'), ANNALS_SSO_CLIENTS: TRUSTED },
    });
    await server.start(port);
  });
  afterAll(async () => {
    await server.remove();
    await provider.end();
    rmSync(folder, { recursive: true, force: true });
  });

  const logInWith = (token: string, further: object = {}) =>
    server.request('POST', '/_matrix/client/v3/login', { body: { type: 'm.login.token', token, ...further } });
  const tokenAt = ({ url }: Visit): string => new URL(url).searchParams.get('loginToken') ?? '';
  /** Logs somebody in by a client that is trusted. */
  const logIn = async (who: Person, id = 'main'): Promise<Client> => {
    await provider.as(who);
    const back = await browser().visit(redirectTo(id, TRUSTED));
    expect(back).toMatchObject({ status: 0 });
    const { status, body } = await logInWith(tokenAt(back));
    expect(status).toBe(200);
    return new Client(server, body.user_id, body.access_token, body.device_id);
  };
  const isAdmin = async (client: Client): Promise<boolean> =>
    (await client.request('GET', '/_synapse/admin/v1/user/redact_status/none')).status !== 403;

  it('names the providers to clients', async () => {
    const { body } = await server.request('GET', '/_matrix/client/v3/login');
    const sso = body.flows.find(({ type }: { type: string }) => type === 'm.login.sso');
    expect(sso.identity_providers[0]).toEqual({
      id: 'main',
      name: 'The <main> one',
      brand: 'gitlab',
      icon: 'mxc://e2e.example/icon',
    });
    expect(body.flows).toContainEqual({ type: 'm.login.token', get_login_token: true });
  });

  it('makes an account for who comes first, and knows them when they come again', async () => {
    const alice = await logIn(person('alice'));
    expect(alice.userId).toBe('@alice:e2e.example');
    expect(await alice.ok('GET', '/profile/@alice:e2e.example')).toMatchObject({ displayname: 'The alice' });
    // By what the provider calls her for ever, and not by a name that changes.
    expect(await logIn({ ...person('alice'), preferred_username: 'alicia' })).toMatchObject({ userId: alice.userId });
    const [question] = (await provider.asked()).slice(-1);
    expect(question).toMatchObject({ code_challenge_method: 'S256', response_type: 'code' });
    expect(question?.['nonce']).not.toBe(question?.['state']);
  });

  it('lets a login token be used once, for one session of its user', async () => {
    await provider.as(person('alice'));
    const token = tokenAt(await browser().visit(redirectTo('main', TRUSTED)));
    const answers = await Promise.all([1, 2, 3].map(() => logInWith(token, { device_id: 'PHONE' })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 403, 403]);
    expect((await logInWith(token)).body.errcode).toBe('M_FORBIDDEN');
    expect((await logInWith(`${token}x`)).body.errcode).toBe('M_FORBIDDEN');
    expect((await logInWith('')).status).toBe(403);
  });

  it('asks before a client gets a token that the operator does not know', async () => {
    await provider.as(person('alice'));
    const mine = browser();
    const page = await mine.visit(redirectTo('main', UNKNOWN));
    expect(page.status).toBe(200);
    expect(page.text).toContain('other.client.example');
    expect(page.text).toContain('@alice:e2e.example');
    expect(page.text).not.toContain('annals_lt_');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    const link = linkOn(page, 'continue');
    // Nobody but the page knows the link, and no other browser has the log-in.
    expect((await mine.visit(link.replace(/key=./, 'key=~'))).status).toBe(403);
    expect((await browser().visit(link)).status).toBe(403);
    const back = await mine.visit(link);
    expect(back.url).toMatch(/^https:\/\/other\.client\.example\/\?a=b&loginToken=annals_lt_[^#]+#\/login$/);
    expect((await logInWith(tokenAt(back))).status).toBe(200);
    expect((await mine.visit(link)).status).toBe(403);
  });

  it.each([
    ['a script', 'javascript:alert(1)'],
    ['data', 'data:text/html,x'],
    ['a URL that looks like another', 'https://app.client.example@evil.example/'],
    ['what is no URL', 'nothing'],
    ['a path', '/path'],
    ['a URL of two KB', `https://app.client.example/${'x'.repeat(2000)}`],
  ])('sends nobody to %s', async (_, url) => {
    expect((await browser().visit(redirectTo('main', url))).status).toBe(400);
  });

  it.each([
    'https://app.client.example.evil.example/web/',
    'https://app.client.example/webbing',
    'http://app.client.example/web/',
  ])('takes %s for no part of the client that is trusted', async (url) => {
    await provider.as(person('alice'));
    expect(await browser().visit(redirectTo('main', url))).toMatchObject({ status: 200 });
  });

  it('offers a choice of the providers, with names that are only text', async () => {
    const mine = browser();
    const page = await mine.visit(
      `${server.base}/_matrix/client/v3/login/sso/redirect?redirectUrl=${encodeURIComponent(TRUSTED)}`,
    );
    expect(page.text).toContain('The &#60;main&#62; one');
    await provider.as(person('alice'));
    expect((await mine.visit(linkOn(page, 'redirect/main'))).url).toMatch(
      /^https:\/\/app\.client\.example\/web\/\?loginToken=/,
    );
    expect((await mine.visit(redirectTo('nobody', TRUSTED))).status).toBe(404);
  });

  it('believes no answer of a provider that another browser asked for, or that was asked of another', async () => {
    await provider.as(person('mallory'));
    // Mallory begins, and has somebody else's browser go on with it.
    const mallory = new HandBrowser([new URL(server.base).host]);
    const away = await mallory.visit(redirectTo('main', TRUSTED));
    const atProvider = new HandBrowser([provider.host]);
    const callback = (await atProvider.visit(away.url)).url;
    const victim = browser();
    expect(await victim.visit(callback)).toMatchObject({ status: 403 });
    expect(victim.cookiesFor(callback)).toBe('');
    // The code of one provider at the callback of another.
    expect((await mallory.visit(callback.replace('/main?', '/strict?'))).status).toBe(403);
    // What says to be of another issuer, or has another state.
    expect((await mallory.visit(callback.replace(/state=[^&]*/, 'state=x'))).status).toBe(403);
    expect((await mallory.visit(callback.replace(/iss=[^&]*/, 'iss=https%3A%2F%2Fevil.example'))).status).toBe(502);
    // It is over with that.
    expect((await mallory.visit(callback)).status).toBe(403);
  });

  it('goes on after a restart', async () => {
    await provider.as(person('alice'));
    const mine = new HandBrowser([new URL(server.base).host]);
    const away = await mine.visit(redirectTo('main', TRUSTED));
    const callback = (await new HandBrowser([provider.host]).visit(away.url)).url;
    await server.restart('SIGKILL');
    const back = await mine.visit(callback);
    await server.restart('SIGKILL');
    expect((await logInWith(tokenAt(back))).body.user_id).toBe('@alice:e2e.example');
    expect((await logInWith(tokenAt(back))).status).toBe(403);
  });

  it('tells that the provider said no', async () => {
    await provider.as(null);
    const page = await browser().visit(redirectTo('main', TRUSTED));
    expect(page.status).toBe(403);
    expect(page.text).toContain('access_denied');
    expect(page.text).not.toContain('<b>');
  });

  it('has somebody choose a name whose name is taken, and only then', async () => {
    await registerAt(server, 'taken');
    await provider.as(person('taken'));
    const mine = browser();
    const page = await mine.visit(redirectTo('main', TRUSTED));
    expect(page.text).toContain('value="taken"');
    const form = linkOn(page, 'details');
    const again = await mine.visit(form, { name: 'taken' });
    expect(again.text).toContain('role="alert"');
    // The form before is over.
    expect((await mine.visit(form, { name: 'other' })).status).toBe(403);
    const next = linkOn(again, 'details');
    expect((await browser().visit(next, { name: 'other' })).status).toBe(403);
    const done = await mine.visit(next, { name: 'Other' });
    expect(done.headers.get('refresh')).toContain('continue');
    const back = await mine.visit(linkOn(done, 'continue'));
    expect((await logInWith(tokenAt(back))).body.user_id).toBe('@other:e2e.example');
    expect(await logIn(person('taken'))).toMatchObject({ userId: '@other:e2e.example' });
  });

  it('refuses a name that is taken where the provider gives it, and links it where the operator says so', async () => {
    const { userId } = await registerAt(server, 'linked');
    await provider.as(person('linked'));
    expect((await browser().visit(redirectTo('strict', TRUSTED))).status).toBe(400);
    expect(await logIn(person('linked'), 'linking')).toMatchObject({ userId });
    const { status } = await server.request('POST', '/_matrix/client/v3/login', {
      body: { type: 'm.login.password', user: 'linked', password: 'the password of linked' },
    });
    expect(status).toBe(200);
  });

  it('asks for a name where it is to, and lets nobody in who has no account where none are made', async () => {
    await provider.as(person('asked'));
    expect((await browser().visit(redirectTo('asking', TRUSTED))).text).toContain('value="asked"');
    expect((await browser().visit(redirectTo('closed', TRUSTED))).status).toBe(403);
  });

  it('makes names of other scripts into names that can be here', async () => {
    expect(await logIn(person('Jörg Müller'))).toMatchObject({ userId: '@j=c3=b6rg=20m=c3=bcller:e2e.example' });
  });

  it('speaks to providers that are not discovered, and to such as give out no secret', async () => {
    expect(await logIn(person('explicit'), 'explicit')).toMatchObject({ userId: '@explicit:e2e.example' });
    expect(await logIn(person('public'), 'public')).toMatchObject({ userId: '@public:e2e.example' });
  });

  it('lets nobody in whose account is closed', async () => {
    const leaver = await registerAt(server, 'leaver');
    await logIn(person('leaver'), 'linking');
    const password = { type: 'm.login.password', user: 'leaver', password: 'the password of leaver' };
    await leaver.ok('POST', '/account/deactivate', { auth: password });
    expect((await browser().visit(redirectTo('linking', TRUSTED))).status).toBe(403);
  });

  it('makes administrators by groups, and takes back what they gave', async () => {
    const boss = await logIn(person('chief', { groups: ['admins', 'others'] }));
    expect(await isAdmin(boss)).toBe(true);
    const again = await logIn(person('chief', { groups: ['others'] }));
    expect(await isAdmin(again)).toBe(false);
    expect(await isAdmin(boss)).toBe(false);
    expect(await isAdmin(await logIn(person('chief', { groups: 'admins' })))).toBe(true);
    expect(await isAdmin(await logIn(person('chief')))).toBe(false);
  });

  it('brings people to the rooms of their groups once, and back to none that they left', async () => {
    const owner = await registerAt(server, 'owner');
    const staff = await owner.createRoom({ preset: 'public_chat', room_alias_name: 'staff' });
    const closed = await owner.createRoom({ preset: 'private_chat', room_alias_name: 'closed' });
    const carol = person('carol', { groups: ['staff', 'closed', 'nothing'] });
    const rooms = async (client: Client): Promise<string[]> => (await client.ok('GET', '/joined_rooms')).joined_rooms;
    const first = await logIn(carol);
    expect((await rooms(first)).toSorted()).toEqual([staff, closed].toSorted());
    await first.ok('POST', `/rooms/${encodeURIComponent(staff)}/leave`, {});
    expect(await rooms(await logIn(carol))).toEqual([closed]);
  });

  it('confirms what somebody does to their account at their provider, and by nobody else’s account there', async () => {
    const fred = await logIn(person('fred'));
    const path = `/devices/${fred.deviceId}`;
    const asked = await fred.request('DELETE', path, {});
    expect(asked.body.flows).toEqual([{ stages: ['m.login.sso'] }]);
    const { session } = asked.body;
    expect((await fred.request('DELETE', path, { auth: { type: 'm.login.sso', session } })).status).toBe(401);
    const fallback = `${server.base}/_matrix/client/v3/auth/m.login.sso/fallback/web?session=${session}`;
    const confirm = async (who: Person): Promise<Visit> => {
      await provider.as(who);
      const mine = browser();
      const page = await mine.visit(fallback);
      expect(page.text).toContain('remove a device from your account <strong>@fred:e2e.example</strong>');
      return mine.visit(linkOn(page, 'begin/main'));
    };
    const refused = await confirm(person('alice'));
    expect(refused.status).toBe(403);
    // Whoever was somebody else there begins anew where it is said what it is for, and which of their accounts will do.
    expect(linkOn(refused, 'fallback')).toBe(fallback);
    expect((await confirm(person('never-seen'))).status).toBe(403);
    expect((await fred.request('DELETE', path, { auth: { session } })).status).toBe(401);
    await provider.as(person('fred'));
    const mine = browser();
    const asksOnce = await mine.visit(linkOn(await mine.visit(fallback), 'begin/main'));
    expect((await provider.asked()).at(-1)).toMatchObject({ prompt: 'login', max_age: '0' });
    // The provider asked fred nothing, and a link may have led here: nothing is confirmed yet, nor by anybody else.
    expect(asksOnce.text).toContain('remove a device from your account <strong>@fred:e2e.example</strong>');
    expect((await fred.request('DELETE', path, { auth: { session } })).status).toBe(401);
    const button = linkOn(asksOnce, '/confirm');
    expect((await browser().visit(button, {})).status).toBe(403);
    expect((await mine.visit(`${button}x`, {})).status).toBe(403);
    expect((await mine.visit(button.replace('/confirm', '/continue'))).status).toBe(403);
    const again = await mine.visit(linkOn(await mine.visit(fallback), 'begin/main'));
    expect((await mine.visit(linkOn(again, '/confirm'), {})).text).toContain('onAuthDone');
    expect((await fred.request('DELETE', path, { auth: { session } })).status).toBe(200);
  });

  it('logs in and registers as in 2014, by a URI that the client visits', async () => {
    const v1 = '/_matrix/client/api/v1';
    const flows = async (path: string): Promise<unknown[]> => (await server.request('GET', `${v1}/${path}`)).body.flows;
    expect(await flows('login')).toContainEqual({ type: 'm.login.oauth2' });
    expect(await flows('register')).toContainEqual({ type: 'm.login.oauth2' });
    const begin = async (path: string, user?: string): Promise<string> =>
      (await server.request('POST', `${v1}/${path}`, { body: { type: 'm.login.oauth2', user } })).body.uri;
    const visit = async (uri: string, who: Person, mine = browser()): Promise<Visit> => {
      await provider.as(who);
      return mine.visit(linkOn(await mine.visit(uri), 'begin/main'));
    };
    const hers = browser();
    // The name that her client wishes is proposed to her: somebody else's may have made the link.
    const proposed = await visit(await begin('register', 'gina'), person('regina'), hers);
    expect(proposed.text).toContain('value="gina"');
    const registered = await hers.visit(linkOn(proposed, '/details'), { name: 'gina' });
    expect(registered.headers.get('content-type')).toBe('application/json');
    const made = JSON.parse(registered.text);
    expect(made).toEqual({
      user_id: '@gina:e2e.example',
      access_token: expect.any(String),
      home_server: 'e2e.example',
    });
    const whoami = await server.request('GET', '/_matrix/client/v3/account/whoami', { token: made.access_token });
    expect(whoami.body.user_id).toBe('@gina:e2e.example');
    // She has one already; and nobody else logs in as her.
    const again = await visit(await begin('register'), person('regina'));
    expect([again.status, JSON.parse(again.text).errcode]).toEqual([400, 'M_USER_IN_USE']);
    for (const user of ['gina', '@Gina:e2e.example', undefined]) {
      const back = await visit(await begin('login', user), person('regina'));
      expect(JSON.parse(back.text).user_id).toBe('@gina:e2e.example');
    }
    for (const who of ['alice', 'nobody-yet']) {
      const back = await visit(await begin('login', 'gina'), person(who));
      expect([back.status, JSON.parse(back.text).errcode]).toEqual([403, 'M_FORBIDDEN']);
    }
    const elsewhere = { type: 'm.login.oauth2', user: '@gina:other.example' };
    expect((await server.request('POST', `${v1}/login`, { body: elsewhere })).status).toBe(403);
  });

  it('ends the sessions of a log-in that ends at the provider, and no others', async () => {
    const hugo = person('hugo');
    await provider.as(hugo);
    const [first, second] = [browser(), browser()];
    const tokens: string[] = [];
    for (const one of [first, second]) {
      const { body } = await logInWith(tokenAt(await one.visit(redirectTo('main', TRUSTED))));
      tokens.push(body.access_token);
    }
    const states = async (): Promise<number[]> =>
      Promise.all(
        tokens.map(
          async (token) => (await server.request('GET', '/_matrix/client/v3/account/whoami', { token })).status,
        ),
      );
    expect(await states()).toEqual([200, 200]);
    const page = await first.visit(`${provider.issuer}/session/end`);
    const xsrf = /name="xsrf" value="([^"]*)"/.exec(page.text)?.[1] ?? '';
    await first.visit(linkOn(page, 'session/end/confirm'), { xsrf, logout: 'yes' });
    expect(await states()).toEqual([401, 200]);
  });

  it('believes nobody else of a log-out', async () => {
    const url = `${server.base}/_matrix/client/unstable/dev.annals.sso/backchannel_logout/main`;
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = {
      iss: provider.issuer,
      aud: 'annals',
      sub: 'id-of-alice',
      iat: Math.floor(Date.now() / 1000),
      jti: 'x',
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    };
    const alice = await logIn(person('alice'));
    for (const token of [
      '',
      'x',
      `${encode({ alg: 'none' })}.${encode(claims)}.`,
      `${encode({ alg: 'RS256' })}.${encode(claims)}.AAAA`,
    ]) {
      const answer = await fetch(url, { method: 'POST', body: new URLSearchParams({ logout_token: token }) });
      expect(answer.status).toBe(400);
    }
    expect((await fetch(url, { method: 'POST' })).status).toBe(400);
    expect((await fetch(url.replace('main', 'none'), { method: 'POST' })).status).toBe(404);
    expect((await alice.request('GET', '/account/whoami')).status).toBe(200);
  });

  it('adds a mail address that the provider has verified, and lets in who has one of somebody else', async () => {
    const mail = { email: 'Ida@Mail.Example', email_verified: true };
    const addresses = async (client: Client): Promise<string[]> =>
      (await client.ok('GET', '/account/3pid')).threepids.map(({ address }: { address: string }) => address);
    expect(await addresses(await logIn(person('ida', mail)))).toEqual(['ida@mail.example']);
    expect(await addresses(await logIn(person('imposter', mail)))).toEqual([]);
    expect(await addresses(await logIn(person('ivo', { email: 'ivo@mail.example', email_verified: false })))).toEqual(
      [],
    );
  });

  it('gives who is logged in a token for another client, against a password', async () => {
    const dave = await registerAt(server, 'dave');
    const path = '/_matrix/client/v1/login/get_token';
    const asked = await dave.request('POST', path, {});
    expect(asked.status).toBe(401);
    const auth = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'dave' },
      password: 'the password of dave',
      session: asked.body.session,
    };
    const { body } = await dave.request('POST', path, { auth });
    expect(body).toEqual({ login_token: expect.any(String), expires_in_ms: 120_000 });
    expect((await dave.request('POST', path, { auth })).status).toBe(401);
    expect((await logInWith(body.login_token)).body.user_id).toBe(dave.userId);
    const { capabilities } = await dave.ok('GET', '/capabilities');
    expect(capabilities['m.get_login_token']).toEqual({ enabled: true });
  });
});
