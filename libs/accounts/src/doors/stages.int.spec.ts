import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccountsApp, type Answer, startAccountsApp } from '#testing/accounts-app';
import { type CaptchaServer, SOLVED, startCaptchaServer } from '#testing/captcha-server';
import { type MailServer, startMailServer } from '#testing/mail-server';

const V3 = '/_matrix/client/v3';
const V1 = '/_matrix/client/api/v1';
const [PASSWORD, CAPTCHA, TERMS] = ['m.login.password', 'm.login.recaptcha', 'm.login.terms'];
const [CODE, URL_, IDENTITY] = ['m.login.email.code', 'm.login.email.url', 'm.login.email.identity'];
const DOCUMENTS = `
terms_of_service:
  version: "2"
  en: { name: Terms, url: "https://example.org/terms" }
`;

describe('a registration that asks for a captcha and for terms', () => {
  let captcha: CaptchaServer;
  let app: AccountsApp;
  beforeAll(async () => {
    captcha = await startCaptchaServer();
    const terms = join(mkdtempSync(join(tmpdir(), 'annals-terms-')), 'terms.yaml');
    writeFileSync(terms, DOCUMENTS);
    app = await startAccountsApp({
      ANNALS_RECAPTCHA_SITE_KEY: 'site',
      ANNALS_RECAPTCHA_SECRET: 'secret of the captcha',
      ANNALS_RECAPTCHA_VERIFY_URL: captcha.verifyUrl,
      ANNALS_RECAPTCHA_SCRIPT_URL: captcha.scriptUrl,
      ANNALS_TERMS: terms,
    });
  });
  afterAll(async () => {
    await app.close();
    await captcha.close();
  });

  const register = (auth: object | undefined, username = 'alice'): Promise<Answer> =>
    app.call('POST', `${V3}/register`, { body: { username, password: 'x', ...(auth === undefined ? {} : { auth }) } });

  it('has both as stages, says what clients need to know for them, and notes what was accepted', async () => {
    const { body } = await register(undefined);
    expect(body['flows']).toEqual([{ stages: [CAPTCHA, TERMS] }]);
    expect(body['params']).toEqual({
      [CAPTCHA!]: { public_key: 'site' },
      [TERMS!]: {
        policies: { terms_of_service: { version: '2', en: { name: 'Terms', url: 'https://example.org/terms' } } },
      },
    });
    const { session } = body;
    const wrong = await register({ type: CAPTCHA, session, response: 'guessed' });
    expect([wrong.status, wrong.body['errcode']]).toEqual([401, 'M_FORBIDDEN']);
    expect((await register({ type: CAPTCHA, session })).body['errcode']).toBe('M_MISSING_PARAM');
    const solved = await register({ type: CAPTCHA, session, response: SOLVED });
    expect(solved.body['completed']).toEqual([CAPTCHA]);
    expect(captcha.asked.at(-1)?.get('secret')).toBe('secret of the captcha');
    expect((await register({ type: TERMS, session })).body['user_id']).toBe('@alice:example.org');
    const facts: string[] = [];
    for await (const { type, data } of app.store.readStream('user-@alice:example.org')) facts.push(`${type} ${data}`);
    expect(facts).toContain('terms-accepted {"documents":{"terms_of_service":"2"}}');
  });

  it('has them in the API of 2015, too, in the form of then', async () => {
    const { body } = await app.call('GET', `${V1}/register`);
    expect(body['flows']).toEqual([{ type: CAPTCHA, stages: [CAPTCHA, TERMS, PASSWORD] }]);
    const post = async (step: object) => (await app.call('POST', `${V1}/register`, { body: step })).body;
    const { next, session } = await post({ type: CAPTCHA, challenge: 'of then', response: SOLVED });
    expect(next).toBe(TERMS);
    expect(await post({ type: PASSWORD, session, user: 'bob', password: 'x' })).toMatchObject({
      errcode: 'M_FORBIDDEN',
    });
    expect(await post({ type: TERMS, session })).toEqual({ next: PASSWORD, session });
    const last = { type: PASSWORD, session, user: 'bob', password: 'x' };
    expect((await post(last))['user_id']).toBe('@bob:example.org');
  });

  it('makes one account for one who went through them, also where two are asked for at once', async () => {
    const post = (step: object) => app.call('POST', `${V1}/register`, { body: step });
    const { session } = (await post({ type: CAPTCHA, response: SOLVED })).body;
    await post({ type: TERMS, session });
    const last = (user: string, password = 'x') => post({ type: PASSWORD, session, user, password });
    // What is wrong with a name or a password costs nothing.
    expect((await last('bob')).body['errcode']).toBe('M_USER_IN_USE');
    expect((await last('dora', '')).body['errcode']).toBe('M_WEAK_PASSWORD');
    const both = await Promise.all([last('dora'), last('dirk')]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 403]);
  });

  it('has pages for them, of which only that of the captcha runs the script of somebody else', async () => {
    const { session } = (await register(undefined, 'carol')).body;
    const pageOf = (stage: string) => `${V3}/auth/${stage}/fallback/web?session=${String(session)}`;
    const { headers, text } = await app.call('GET', pageOf(CAPTCHA!));
    expect(text).toContain(captcha.scriptUrl);
    expect(String(headers['content-security-policy'])).toContain(`script-src ${new URL(captcha.scriptUrl).origin}`);
    const solved = await app.call('POST', pageOf(CAPTCHA!), { raw: `g-recaptcha-response=${SOLVED}` });
    expect(solved.text).toContain('onAuthDone');
    const terms = await app.call('GET', pageOf(TERMS!));
    expect(terms.text).toContain('href="https://example.org/terms"');
    expect(String(terms.headers['content-security-policy'])).not.toContain('script-src');
    expect((await app.call('POST', pageOf(TERMS!), { raw: 'ticked=yes' })).text).toContain('has to be accepted');
    const accepted = await app.call('POST', pageOf(TERMS!), { raw: 'ticked=yes&accept+terms_of_service=2' });
    expect(accepted.text).toContain('onAuthDone');
    expect((await register({ session }, 'carol')).status).toBe(200);
  });

  it('has no pages for stages that are none of a session’s, also where they are not configured', async () => {
    const plain = await startAccountsApp({});
    const body = { username: 'eve', password: 'password of eve' };
    const { session } = (await plain.call('POST', `${V3}/register`, { body })).body;
    const pageOf = (stage: string) => `${V3}/auth/${stage}/fallback/web?session=${String(session)}`;
    expect((await plain.call('GET', pageOf('m.login.dummy'))).status).toBe(200);
    const none = { status: 404, body: { errcode: 'M_UNRECOGNIZED' } };
    for (const stage of [CAPTCHA!, TERMS!, PASSWORD!, 'm.login.msisdn', 'm.login.foo']) {
      expect(await plain.call('GET', pageOf(stage))).toMatchObject(none);
      expect(await plain.call('POST', pageOf(stage), { raw: 'response=x' })).toMatchObject(none);
    }
    await plain.close();
  });

  it('says that it cannot be gone on with where the service of the captcha does not answer', async () => {
    const lonely = await startAccountsApp({
      ANNALS_RECAPTCHA_SITE_KEY: 'site',
      ANNALS_RECAPTCHA_SECRET: 'secret',
      ANNALS_RECAPTCHA_VERIFY_URL: 'http://127.0.0.1:1/siteverify',
    });
    const body = { username: 'dan', password: 'x', auth: { type: CAPTCHA, response: SOLVED } };
    const { status, text } = await lonely.call('POST', `${V3}/register`, { body });
    expect([status, text.includes('secret')]).toEqual([503, false]);
    // To who sits before a page it is said on one.
    const { session } = (await lonely.call('POST', `${V3}/register`, { body: { ...body, auth: undefined } })).body;
    const page = `${V3}/auth/${CAPTCHA!}/fallback/web?session=${String(session)}`;
    const shown = await lonely.call('POST', page, { raw: `g-recaptcha-response=${SOLVED}` });
    expect([shown.status, shown.text]).toEqual([503, expect.stringContaining('<h1>This does not go</h1>')]);
    expect(shown.text).toContain('The captcha cannot be verified at the moment');
    await lonely.close();
  });
});

describe('log-ins by mail as 2015 has them', () => {
  let mails: MailServer;
  let app: AccountsApp;
  beforeAll(async () => {
    mails = await startMailServer();
    app = await startAccountsApp({ ANNALS_SMTP_URL: mails.url });
    for (const name of ['ann', 'ben']) await register(name);
  });
  afterAll(async () => {
    await app.close();
    await mails.close();
  });

  const post = (path: string, body: object) => app.call('POST', `${V1}/${path}`, { body });
  const addressOf = (name: string) => `${name}@mail.example`;
  const codeIn = ({ text }: { text: string }): string => /^\d{8}$/m.exec(text)![0];
  const open = async (name: string, number = 1): Promise<void> => {
    const { text } = await mails.waitFor(addressOf(name), number);
    await app.call('POST', `/${/(_matrix\/static\/\S+)/.exec(text)![1]!}`);
  };
  /** By a code, which shows the address of the new account. */
  const register = async (name: string): Promise<void> => {
    const { session } = (await post('register', { type: CODE, email: addressOf(name) })).body;
    const code = codeIn(await mails.waitFor(addressOf(name)));
    expect((await post('register', { type: CODE, session, code })).body).toEqual({ next: PASSWORD, session });
    const last = { type: PASSWORD, session, user: name, password: `password of ${name}` };
    expect((await post('register', last)).body['user_id']).toBe(`@${name}:example.org`);
  };

  it('are listed beside the password, in both registrations and logins', async () => {
    const { body } = await app.call('GET', `${V1}/login`);
    expect(body['flows']).toEqual([{ type: PASSWORD }, { type: CODE }, { type: URL_ }]);
    const offered = (await app.call('GET', `${V1}/register`)).body['flows'];
    expect(offered).toEqual([
      { type: PASSWORD },
      ...[IDENTITY, CODE, URL_].map((type) => ({ type, stages: [type, PASSWORD] })),
    ]);
  });

  it('are by a code, once', async () => {
    const asked = await post('login', { type: CODE, user: 'ann', email: 'Ann@mail.example' });
    const { session } = asked.body;
    expect(asked.body).toEqual({ type: CODE, session });
    const code = codeIn(await mails.waitFor(addressOf('ann'), 2));
    const wrong = await post('login', { type: CODE, session, code: '00000000' });
    expect([wrong.status, wrong.body['errcode']]).toEqual([403, 'M_FORBIDDEN']);
    const right = { type: CODE, session, code: `${code.slice(0, 4)} ${code.slice(4)}` };
    const both = await Promise.all([post('login', right), post('login', right)]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)[0]).toBe(200);
    expect(both.filter(({ status }) => status === 200)).toHaveLength(1);
    expect((await post('login', right)).body['errcode']).toBe('M_FORBIDDEN');
  });

  it('end after five wrong codes, and hold in their own session alone', async () => {
    const { session } = (await post('login', { type: CODE, email: addressOf('ann') })).body;
    const code = codeIn(await mails.waitFor(addressOf('ann'), 3));
    const other = (await post('login', { type: CODE, email: addressOf('ann') })).body['session'];
    expect((await post('login', { type: CODE, session: other, code })).status).toBe(403);
    for (let n = 0; n < 5; n++) await post('login', { type: CODE, session, code: `0000000${n}` });
    expect((await post('login', { type: CODE, session, code })).status).toBe(403);
  });

  it('are by a link, and answered M_LOGIN_EMAIL_URL_NOT_YET until it is opened', async () => {
    const { session } = (await post('login', { type: URL_, user: '@ben:example.org', email: addressOf('ben') })).body;
    const poll = () => post('login', { type: URL_, session });
    await mails.waitFor(addressOf('ben'), 2);
    expect((await poll()).body['errcode']).toBe('M_LOGIN_EMAIL_URL_NOT_YET');
    await open('ben', 2);
    expect((await poll()).body['user_id']).toBe('@ben:example.org');
    expect((await poll()).status).toBe(403);
  });

  it('send nothing that logs in to an address of somebody else, and answer alike', async () => {
    const asked = [
      await post('login', { type: CODE, user: 'ann', email: addressOf('ben') }),
      await post('login', { type: CODE, user: 'nobody', email: addressOf('none') }),
      await post('login', { type: URL_, user: 'ann', email: addressOf('eve') }),
    ];
    for (const { status, body } of asked) expect([status, Object.keys(body)]).toEqual([200, ['type', 'session']]);
    for (const name of ['none', 'eve']) {
      const { text } = await mails.waitFor(addressOf(name));
      expect(text).toContain('does not belong to');
      expect(text).not.toMatch(/\d{8}|_matrix/);
    }
  });

  it('are refused without an address, or with one that is none', async () => {
    expect((await post('login', { type: CODE })).body['errcode']).toBe('M_MISSING_PARAM');
    expect((await post('login', { type: URL_, email: 'x' })).body['errcode']).toBe('M_INVALID_PARAM');
    expect((await post('login', { type: CODE, code: '1' })).body['errcode']).toBe('M_MISSING_PARAM');
  });

  it.each([CODE, URL_])(
    'are refused by %s with a user who is no text: whoever has the address is meant by none alone',
    async (type) => {
      const email = 'who@mail.example';
      for (const user of [1, [], {}])
        expect((await post('login', { type, email, user })).body['errcode']).toBe('M_BAD_JSON');
      for (const user of [undefined, null, '']) expect((await post('login', { type, email, user })).status).toBe(200);
    },
  );
});

describe('a log-in of several stages', () => {
  let mails: MailServer;
  let app: AccountsApp;
  beforeAll(async () => {
    mails = await startMailServer();
    const flows = 'm.login.password+m.login.email.code';
    app = await startAccountsApp({ ANNALS_SMTP_URL: mails.url, ANNALS_LOGIN_FLOWS: flows });
    for (const name of ['ann', 'ben']) {
      const email = `${name}@mail.example`;
      const { session } = (await post('register', { type: CODE, email })).body;
      const code = codeIn(await mails.waitFor(email));
      await post('register', { type: CODE, session, code });
      await post('register', { type: PASSWORD, session, user: name, password: `password of ${name}` });
    }
  });
  afterAll(async () => {
    await app.close();
    await mails.close();
  });

  const post = (path: string, body: object) => app.call('POST', `${V1}/${path}`, { body });
  const codeIn = ({ text }: { text: string }): string => /^\d{8}$/m.exec(text)![0];
  const byPassword = (name: string) => ({ type: PASSWORD, user: name, password: `password of ${name}` });

  it('names all of them at first, and has no session before the last', async () => {
    expect((await app.call('GET', `${V1}/login`)).body['flows']).toEqual([
      { type: PASSWORD, stages: [PASSWORD, CODE] },
    ]);
    expect((await app.call('GET', `${V3}/login`)).body['flows']).toEqual([]);
    const { session, ...first } = (await post('login', byPassword('ann'))).body;
    expect(first).toEqual({ next: CODE });
    await post('login', { type: CODE, session, email: 'ann@mail.example' });
    const code = codeIn(await mails.waitFor('ann@mail.example', 2));
    expect((await post('login', { type: CODE, session, code })).body['user_id']).toBe('@ann:example.org');
    const today = await app.call('POST', `${V3}/login`, { body: byPassword('ann') });
    expect(today.body).toEqual({ next: CODE, session: expect.any(String) });
  });

  it('is of one person from the first stage to the last', async () => {
    const { session } = (await post('login', byPassword('ann'))).body;
    await post('login', { type: CODE, session, user: 'ben', email: 'ben@mail.example' });
    const code = codeIn(await mails.waitFor('ben@mail.example', 2));
    expect((await post('login', { type: CODE, session, code })).body['errcode']).toBe('M_FORBIDDEN');
    expect((await post('login', { type: CODE, code, email: 'ben@mail.example' })).body['errcode']).toBe('M_FORBIDDEN');
  });
});

describe('a log-in that begins with a captcha', () => {
  let captcha: CaptchaServer;
  let app: AccountsApp;
  beforeAll(async () => {
    captcha = await startCaptchaServer();
    app = await startAccountsApp({
      ANNALS_RECAPTCHA_SITE_KEY: 'site',
      ANNALS_RECAPTCHA_SECRET: 'secret of the captcha',
      ANNALS_RECAPTCHA_VERIFY_URL: captcha.verifyUrl,
      ANNALS_RECAPTCHA_SCRIPT_URL: captcha.scriptUrl,
      ANNALS_LOGIN_FLOWS: `${CAPTCHA}+${PASSWORD}`,
    });
    const body = { username: 'ann', password: 'secret', auth: { type: CAPTCHA, response: SOLVED } };
    expect((await app.call('POST', `${V3}/register`, { body })).status).toBe(200);
  });
  afterAll(async () => {
    await app.close();
    await captcha.close();
  });

  const login = async (body: object) => (await app.call('POST', `${V1}/login`, { body })).body;
  const password = { type: PASSWORD, user: 'ann', password: 'secret' };

  it('says so, and looks at no password before it is solved', async () => {
    expect((await app.call('GET', `${V1}/login`)).body['flows']).toEqual([
      { type: CAPTCHA, stages: [CAPTCHA, PASSWORD] },
    ]);
    expect((await app.call('GET', `${V3}/login`)).body['flows']).toEqual([]);
    expect((await login(password))['errcode']).toBe('M_FORBIDDEN');
    expect((await login({ type: CAPTCHA, challenge: 'of then', response: 'guessed' }))['errcode']).toBe('M_FORBIDDEN');
    const { session, ...first } = await login({ type: CAPTCHA, challenge: 'of then', response: SOLVED });
    expect(first).toEqual({ next: PASSWORD });
    expect((await login({ ...password, session, password: 'wrong' }))['errcode']).toBe('M_FORBIDDEN');
    expect((await login({ ...password, session }))['user_id']).toBe('@ann:example.org');
    // Solved once, it lets in once.
    expect((await login({ ...password, session }))['errcode']).toBe('M_FORBIDDEN');
  });

  it('has its stages passed by nobody else: there are no pages of them for whoever is sent a link', async () => {
    const { session } = await login({ type: CAPTCHA, response: SOLVED });
    const page = `${V3}/auth/${PASSWORD}/fallback/web?session=${String(session)}`;
    const none = { status: 404, text: expect.stringContaining('This page holds no more') };
    expect(await app.call('GET', page)).toMatchObject(none);
    expect(await app.call('POST', page, { raw: 'user=ann&password=secret' })).toMatchObject(none);
    expect((await login({ ...password, session }))['user_id']).toBe('@ann:example.org');
  });

  it('is one of today as well', async () => {
    const post = async (body: object) => (await app.call('POST', `${V3}/login`, { body })).body;
    const { session } = await post({ type: CAPTCHA, response: SOLVED });
    expect(await post({ ...password, session })).toMatchObject({ device_id: expect.any(String) });
  });
});
