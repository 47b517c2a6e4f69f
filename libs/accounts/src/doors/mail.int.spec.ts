import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountCalls } from '#testing/account-calls';
import { type AccountsApp, type Answer, startAccountsApp } from '#testing/accounts-app';
import { type MailServer, startMailServer } from '#testing/mail-server';

const V3 = '/_matrix/client/v3';
const V1 = '/_matrix/client/api/v1';
const STAGE = 'm.login.email.identity';

describe('mail addresses', () => {
  let server: MailServer;
  let app: AccountsApp;
  beforeAll(async () => {
    server = await startMailServer();
    app = await startAccountsApp({ ANNALS_SMTP_URL: server.url });
  });
  afterAll(async () => {
    await app.close();
    await server.close();
  });

  const { post, logIn, addresses, lock } = accountCalls(() => app);
  const ask = async (
    what: string,
    email: string,
    more: object = {},
  ): Promise<{ sid: string; client_secret: string }> => {
    const wanted = { client_secret: 'secret', email, send_attempt: 1, ...more };
    const { status, body } = await post(`${what}/email/requestToken`, wanted);
    expect(status).toBe(200);
    return { sid: String(body['sid']), client_secret: wanted.client_secret };
  };
  const linkIn = ({ text }: { text: string }): string => /https?:\/\/\S+\/(_matrix\/static\/\S+)/.exec(text)![1]!;
  const open = async (email: string, number = 1): Promise<Answer> =>
    app.call('POST', `/${linkIn(await server.waitFor(email, number))}`);
  const register = async (name: string, email?: string): Promise<{ token: string; userId: string }> => {
    let auth: object = { type: 'm.login.dummy' };
    if (email !== undefined) {
      const threepid_creds = await ask('register', email, { client_secret: `of-${name}` });
      await open(email);
      auth = { type: STAGE, threepid_creds };
    }
    const { status, body } = await post('register', { username: name, password: `password of ${name}`, auth });
    expect([status, body]).toEqual([200, expect.anything()]);
    return { token: String(body['access_token']), userId: String(body['user_id']) };
  };

  it('are shown to be theirs by who registers, once a button behind the link was pressed', async () => {
    const { body } = await post('register', { username: 'alice', password: 'x' });
    expect(body['flows']).toEqual([{ stages: ['m.login.dummy'] }, { stages: [STAGE] }]);
    const threepid_creds = await ask('register', 'Alice@Mail.example', { next_link: 'https://app.example/done' });
    const wanted = { username: 'alice', password: 'x', auth: { type: STAGE, threepid_creds } };
    const link = linkIn(await server.waitFor('alice@mail.example'));
    const page = await app.call('GET', `/${link}`);
    expect(page.text).toContain('alice@mail.example');
    expect(page.text).toContain('for a new account on <strong>example.org</strong>?');
    expect(page.headers['referrer-policy']).toBe('no-referrer');
    expect((await post('register', wanted)).body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
    const confirmed = await app.call('POST', `/${link}`);
    expect(confirmed.status).toBe(200);
    expect(confirmed.text).toContain('Go on to app.example');
    expect(confirmed.text).toContain(`"https://app.example/done?sid=${threepid_creds.sid}"`);
    const registered = await post('register', wanted);
    expect(registered.body['user_id']).toBe('@alice:example.org');
    expect(await addresses(String(registered.body['access_token']))).toEqual([['email', 'alice@mail.example']]);
    const again = await post('register', { ...wanted, username: 'alice2' });
    expect(again.body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
    expect((await app.call('POST', `/${link}`)).text).toContain('holds no more');
  });

  it('are shown to be theirs by a code of the mail, which the client submits, and nobody guesses', async () => {
    const wanted = { client_secret: 'of-cody', email: 'cody@mail.example', send_attempt: 1 };
    const { sid, submit_url: url } = (await post('register/email/requestToken', wanted)).body as Record<string, string>;
    const again = (await post('register/email/requestToken', wanted)).body as Record<string, string>;
    expect(again['sid']).toBe(sid);
    const { text } = await server.waitFor('cody@mail.example');
    const code = /^\d{8}$/m.exec(text)![0];
    const { pathname, search } = new URL(url!);
    const submit = (more: object, path = pathname + search) =>
      post(path, { sid, client_secret: 'of-cody', token: code, ...more });
    const auth = { type: STAGE, threepid_creds: { sid, client_secret: 'of-cody' } };
    const registerCody = () => post('register', { username: 'cody', password: 'x', auth });
    for (const [more, errcode] of [
      [{ client_secret: 'another' }, 'M_NO_VALID_SESSION'],
      [{ sid: 'another' }, 'M_NO_VALID_SESSION'],
      [{ token: code === '12345678' ? '12345679' : '12345678' }, 'M_TOKEN_INCORRECT'],
    ] as const) {
      const { status, body } = await submit(more);
      expect([status < 500, body['errcode']]).toEqual([true, errcode]);
    }
    const link = new URL(linkIn({ text }), 'http://here').searchParams.get('token')!;
    expect((await submit({}, `${pathname}?validation=${link}`)).body['errcode']).toBe('M_NO_VALID_SESSION');
    expect((await registerCody()).body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
    const { pathname: samePath, search: sameSearch } = new URL(again['submit_url']!);
    expect(await submit({}, samePath + sameSearch)).toMatchObject({ status: 200, body: { success: true } });
    expect((await registerCody()).body['user_id']).toBe('@cody:example.org');
    const limited = await startAccountsApp({ ANNALS_SMTP_URL: server.url, ANNALS_RATE_LIMITS: 'on' });
    const body = { ...wanted, email: 'x@mail.example' };
    const asked = await limited.call('POST', `${V3}/register/email/requestToken`, { body });
    const guess = { sid: asked.body['sid'], client_secret: wanted.client_secret };
    const submitted = new URL(String(asked.body['submit_url']));
    const answers: unknown[] = [];
    for (let n = 0; n < 11; n++) {
      const answer = await limited.call('POST', submitted.pathname + submitted.search, {
        body: { ...guess, token: `${n}` },
      });
      answers.push(answer.body['errcode']);
    }
    expect(answers.slice(-2)).toEqual(['M_TOKEN_INCORRECT', 'M_LIMIT_EXCEEDED']);
    await limited.close();
  });

  it('log in', async () => {
    await register('lou', 'lou@mail.example');
    const password = 'password of lou';
    const thirdparty = { type: 'm.id.thirdparty', medium: 'email', address: 'LOU@mail.example' };
    for (const claim of [
      { identifier: thirdparty },
      { identifier: { medium: 'email', address: 'lou@mail.example' } }, // as in the text of "Login"
      { medium: 'email', address: 'lou@mail.example' },
      { user: 'lou@mail.example' },
    ]) {
      expect((await logIn(claim, password)).body['user_id']).toBe('@lou:example.org');
      expect((await logIn(claim, 'wrong')).status).toBe(403);
    }
    const v1 = { type: 'm.login.password', user: 'lou@mail.example', password };
    expect((await post(`${V1}/login`, v1)).body['user_id']).toBe('@lou:example.org');
    const phone = { identifier: { type: 'm.id.phone', country: 'GB', phone: '07700 900001' } };
    expect((await logIn(phone, password)).body['errcode']).toBe('M_FORBIDDEN');
    expect((await logIn({ identifier: { ...thirdparty, address: 'nobody@mail.example' } }, password)).status).toBe(403);
    expect((await logIn({ identifier: { type: 'm.id.phone', country: 'ZZ', phone: '1' } }, 'x')).status).toBe(400);
  });

  it('have a new password chosen, which ends the sessions, once', async () => {
    const { token } = await register('rob', 'rob@mail.example');
    const threepid_creds = await ask('account/password', 'rob@mail.example');
    const wanted = { new_password: 'another', auth: { type: STAGE, threepid_creds } };
    const early = await post('account/password', wanted);
    expect([early.status, early.body['flows']]).toEqual([401, [{ stages: [STAGE] }]]);
    expect((await server.waitFor('rob@mail.example', 2)).text).toContain('@rob:example.org');
    await open('rob@mail.example', 2);
    expect((await post('account/password', { ...wanted, new_password: '' })).body['errcode']).toBe('M_WEAK_PASSWORD');
    expect((await post('account/password', wanted)).status).toBe(200);
    expect((await app.call('GET', `${V3}/account/whoami`, { token })).status).toBe(401);
    expect((await logIn({ user: 'rob' }, 'another')).status).toBe(200);
    expect((await post('account/password', { ...wanted, new_password: 'third' })).status).toBe(401);
  });

  it('have no password chosen for an account that is locked: what was begun leads nowhere, and its sessions stay', async () => {
    const { token, userId } = await register('lena', 'lena@mail.example');
    const threepid_creds = await ask('account/password', 'lena@mail.example');
    await open('lena@mail.example', 2);
    await lock(userId, true);
    const wanted = { new_password: 'another', auth: { type: STAGE, threepid_creds } };
    const refused = await post('account/password', wanted);
    expect([refused.status, refused.body]).toMatchObject([401, { errcode: 'M_USER_LOCKED', soft_logout: true }]);
    await ask('account/password', 'lena@mail.example', { send_attempt: 2 });
    const { text } = await server.waitFor('lena@mail.example', 3);
    expect([text.includes('It is locked'), /\/_matrix\/static\/|^\d{8}$/m.test(text)]).toEqual([true, false]);
    await lock(userId, false);
    await ask('account/password', 'lena@mail.example', { send_attempt: 3 });
    expect(linkIn(await server.waitFor('lena@mail.example', 4))).toContain('_matrix/static');
    expect((await app.call('GET', `${V3}/account/whoami`, { token })).status).toBe(200);
    expect((await logIn({ user: 'lena' }, 'another')).status).toBe(403);
    expect((await logIn({ user: 'lena' }, 'password of lena')).status).toBe(200);
  });

  it('are added by who confirms it, are of one account, and go again', async () => {
    const { token } = await register('ann');
    const creds = await ask('account/3pid', 'ann@mail.example');
    const auth = { type: 'm.login.password', user: 'ann', password: 'password of ann' };
    const add = (path: string, body: object) => post(path, { ...body, auth }, token);
    expect((await post('account/3pid/add', creds, token)).status).toBe(401);
    expect((await add('account/3pid/add', creds)).body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
    await open('ann@mail.example');
    expect((await add('account/3pid/add', creds)).status).toBe(200);
    expect(await addresses(token)).toEqual([['email', 'ann@mail.example']]);
    const old = await ask('account/3pid', 'ann2@mail.example');
    await open('ann2@mail.example');
    expect((await add('account/3pid', { three_pid_creds: old })).status).toBe(200);
    const older = await ask('account/3pid', 'ann3@mail.example');
    await open('ann3@mail.example');
    expect((await add('/_matrix/client/unstable/account/3pid/add', older)).status).toBe(200);
    const other = await register('oth');
    await ask('account/3pid', 'ann@mail.example', { client_secret: 'others' });
    expect((await server.waitFor('ann@mail.example', 2)).text).toContain('@ann:example.org already');
    const noServer = { medium: 'email', address: 'ann2@mail.example', id_server: 'localhost/x' };
    expect((await post('account/3pid/delete', noServer, token)).body['errcode']).toBe('M_INVALID_PARAM');
    const removal = { medium: 'email', address: 'ANN@mail.example' };
    expect((await post('account/3pid/delete', removal, token)).body).toEqual({ id_server_unbind_result: 'no-support' });
    expect(await addresses(token)).toEqual([
      ['email', 'ann2@mail.example'],
      ['email', 'ann3@mail.example'],
    ]);
    expect(await addresses(other.token)).toEqual([]);
    expect((await post('account/3pid/delete', { medium: 'email', address: 'x' }, token)).status).toBe(400);
  });

  it('tell nobody whether they have an account but who reads their mails', async () => {
    await register('kim', 'kim@mail.example');
    const answers = [
      await ask('register', 'kim@mail.example', { client_secret: 'other' }),
      await ask('register', 'free@mail.example', { client_secret: 'other' }),
      await ask('account/password', 'kim@mail.example'),
      await ask('account/password', 'none@mail.example'),
    ];
    expect(new Set(answers.map(({ sid }) => sid.length)).size).toBe(1);
    expect((await server.waitFor('kim@mail.example', 2)).text).toMatch(/@kim:example.org already/);
    const none = await server.waitFor('none@mail.example');
    expect([none.text.includes('does not belong to'), none.text.includes('/_matrix/')]).toEqual([true, false]);
  });

  it('get one mail for each attempt, and are good for what they were shown for alone', async () => {
    const first = await ask('register', 'zoe@mail.example', { send_attempt: 2 });
    expect(await ask('register', 'zoe@mail.example', { send_attempt: 1 })).toEqual(first);
    expect(await ask('register', 'zoe@mail.example', { send_attempt: 3 })).toEqual(first);
    const { received } = server;
    await server.waitFor('zoe@mail.example', 2);
    expect(received.filter(({ to }) => to.includes('zoe@mail.example'))).toHaveLength(2);
    await open('zoe@mail.example', 2);
    const { token } = await register('zed');
    const auth = { type: 'm.login.password', user: 'zed', password: 'password of zed' };
    const added = await post('account/3pid/add', { ...first, auth }, token);
    expect(added.body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
    const stolen = { ...first, client_secret: 'guessed' };
    const registered = await post('register', {
      username: 'z',
      password: 'x',
      auth: { type: STAGE, threepid_creds: stolen },
    });
    expect(registered.body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
  });

  it('are refused where they are none, as are secrets and links to nowhere', async () => {
    const wanted = { client_secret: 'secret', email: 'a@mail.example', send_attempt: 1 };
    for (const wrong of [
      { email: 'a@mail.example\r\nBcc: eve@mail.example' },
      { email: 'nobody' },
      { client_secret: '' },
      { client_secret: 'a b' },
      { next_link: 'javascript:alert(1)' },
    ]) {
      const { status, body } = await post('register/email/requestToken', { ...wanted, ...wrong });
      expect([status, body['errcode']]).toEqual([400, 'M_INVALID_PARAM']);
    }
    const phone = { client_secret: 'x', country: 'GB', phone_number: '07700900001', send_attempt: 1 };
    const answer = await post('account/3pid/msisdn/requestToken', phone);
    expect(answer.body['errcode']).toBe('M_THREEPID_MEDIUM_NOT_SUPPORTED');
    expect((await app.call('GET', '/_matrix/static/client/confirm?token=x')).text).toContain('holds no more');
  });

  it('are needed by registrations where the operator says so, and by none where there is no mail server', async () => {
    const strict = await startAccountsApp({ ANNALS_SMTP_URL: server.url, ANNALS_REGISTRATION_EMAIL: 'required' });
    const flows = async (one: AccountsApp, path: string) => (await one.call('GET', path)).body['flows'];
    expect((await strict.call('POST', `${V3}/register`, { body: {} })).body['flows']).toEqual([{ stages: [STAGE] }]);
    expect(await flows(strict, `${V1}/register`)).toEqual([{ type: STAGE, stages: [STAGE, 'm.login.password'] }]);
    await strict.close();
    const without = await startAccountsApp();
    expect((await without.call('POST', `${V3}/register`, { body: {} })).body['flows']).toEqual([
      { stages: ['m.login.dummy'] },
    ]);
    const { body } = await without.call('POST', `${V3}/account/password/email/requestToken`, {
      body: { client_secret: 'secret', email: 'a@mail.example', send_attempt: 1 },
    });
    expect(body['errcode']).toBe('M_THREEPID_MEDIUM_NOT_SUPPORTED');
    const reset = await without.call('POST', `${V3}/account/password`, { body: { new_password: 'x' } });
    expect(reset.body['errcode']).toBe('M_MISSING_TOKEN');
    await without.close();
  });

  it('are shown in 2015 by the same stage before user name and password', async () => {
    const body = { type: STAGE, email: 'old@mail.example' };
    const { session } = (await post(`${V1}/register`, body)).body;
    expect((await post(`${V1}/register`, { type: STAGE, session })).body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
    await open('old@mail.example');
    expect((await post(`${V1}/register`, { type: STAGE, session })).body).toEqual({
      next: 'm.login.password',
      session,
    });
    const last = { type: 'm.login.password', user: 'old', password: 'x', session };
    expect((await post(`${V1}/register`, last)).body['user_id']).toBe('@old:example.org');
  });
});
