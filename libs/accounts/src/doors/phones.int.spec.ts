import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { START } from '#kernel/position';
import { accountCalls } from '#testing/account-calls';
import { type AccountsApp, type Answer, startAccountsApp } from '#testing/accounts-app';
import { startMailServer } from '#testing/mail-server';
import { startTextGateway, type TextGateway } from '#testing/text-gateway';

const V3 = '/_matrix/client/v3';
const STAGE = 'm.login.msisdn';
const HOUR_MS = 3600_000;

describe('phone numbers', () => {
  let gateway: TextGateway;
  let app: AccountsApp;
  let last = 0;
  beforeAll(async () => {
    gateway = await startTextGateway();
    app = await startAccountsApp({
      ANNALS_TEXT_MESSAGES: gateway.url,
      ANNALS_TEXT_MESSAGES_COUNTRIES: 'DE',
      ANNALS_REGISTRATION_PHONE: 'optional',
    });
  });
  afterAll(async () => {
    await app.close();
    await gateway.close();
  });

  const { post, logIn, addresses, lock } = accountCalls(() => app);
  /** A number that nobody has, as it is dialled in Germany, and in full. */
  const aNumber = (): { readonly dialled: string; readonly full: string; readonly digits: string } => {
    const rest = String(12_345_000 + last++);
    return { dialled: `0151 ${rest}`, full: `+49151${rest}`, digits: `49151${rest}` };
  };
  const request = (what: string, phone_number: string, more: object = {}): Promise<Answer> =>
    post(`${what}/msisdn/requestToken`, {
      client_secret: 'secret',
      country: 'DE',
      phone_number,
      send_attempt: 1,
      ...more,
    });
  /** Has a code sent, and brings it back. */
  const show = async (
    what: string,
    number: { readonly dialled: string; readonly full: string },
    { nth = 1, client_secret = 'secret' } = {},
  ): Promise<{ sid: string; client_secret: string }> => {
    const { status, body } = await request(what, number.dialled, { client_secret });
    expect([status, body]).toEqual([200, expect.anything()]);
    const creds = { sid: String(body['sid']), client_secret };
    const token = await gateway.codeFor(number.full, nth);
    const submitted = await post(new URL(String(body['submit_url'])).pathname, { ...creds, token });
    expect([submitted.status, submitted.body]).toEqual([200, { success: true }]);
    return creds;
  };
  const register = async (name: string, number?: { readonly dialled: string; readonly full: string }) => {
    const auth =
      number === undefined
        ? { type: 'm.login.dummy' }
        : { type: STAGE, threepid_creds: await show('register', number, { client_secret: `of-${name}` }) };
    const { status, body } = await post('register', { username: name, password: `password of ${name}`, auth });
    expect([status, body]).toEqual([200, expect.anything()]);
    return { token: String(body['access_token']), userId: String(body['user_id']) };
  };

  it('are a way of their own to register on pages', async () => {
    const { text } = await app.call('GET', '/_matrix/static/client/register');
    expect([...text.matchAll(/<a href[^>]*>(With [^<]*)</g)].map(([, way]) => way)).toEqual([
      'With a password alone',
      'With a phone number',
    ]);
  });

  it('are shown to be theirs by who registers, once the code was brought to where the client is told, and log in', async () => {
    const number = aNumber();
    const { body } = await post('register', { username: 'alice', password: 'x' });
    expect(body['flows']).toEqual([{ stages: ['m.login.dummy'] }, { stages: [STAGE] }]);
    const { body: begun } = await request('register', number.dialled);
    expect(begun).toEqual({
      sid: expect.any(String) as string,
      msisdn: number.digits,
      submit_url: expect.stringMatching(/^https?:\/\/[^/]+\/_matrix\/client\/unstable\/dev\.annals\./) as string,
    });
    const creds = { sid: String(begun['sid']), client_secret: 'secret' };
    const wanted = { username: 'alice', password: 'x', auth: { type: STAGE, threepid_creds: creds } };
    expect((await post('register', wanted)).body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
    const { pathname } = new URL(String(begun['submit_url']));
    const { text } = await gateway.waitFor(number.full);
    expect(text).toContain('example.org');
    expect(text.length).toBeLessThanOrEqual(160);
    const token = await gateway.codeFor(number.full);
    expect((await post(pathname, { ...creds, token: '00000000' })).body['errcode']).toBe('M_TOKEN_INCORRECT');
    expect((await post(pathname, { ...creds, token: `${token.slice(0, 4)} ${token.slice(4)}` })).body).toEqual({
      success: true,
    });
    const registered = await post('register', wanted);
    expect(await addresses(String(registered.body['access_token']))).toEqual([['msisdn', number.digits]]);
    expect((await post('register', { ...wanted, username: 'alice2' })).body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
    for (const claim of [
      { identifier: { type: 'm.id.phone', country: 'DE', phone: number.dialled } },
      { identifier: { type: 'm.id.thirdparty', medium: 'msisdn', address: number.digits } },
    ]) {
      expect((await logIn(claim, 'x')).body['user_id']).toBe('@alice:example.org');
      expect((await logIn(claim, 'wrong')).status).toBe(403);
    }
  });

  it('are added by who confirms it, and are of one account, which the number alone is told', async () => {
    const number = aNumber();
    const { token, userId } = await register('ann');
    const creds = await show('account/3pid', number);
    const auth = { type: 'm.login.password', user: 'ann', password: 'password of ann' };
    expect((await post('account/3pid/add', creds, token)).status).toBe(401);
    expect((await post('account/3pid/add', { ...creds, auth }, token)).status).toBe(200);
    expect(await addresses(token)).toEqual([['msisdn', number.digits]]);
    const again = await request('account/3pid', number.dialled, { client_secret: 'other' });
    expect(again.status).toBe(200);
    expect((await gateway.waitFor(number.full, 2)).text).toContain(userId);
    expect(await gateway.codeFor(number.full, 2)).toBe('');
    const of = { medium: 'msisdn', address: number.digits };
    expect((await post('account/3pid/delete', of, token)).status).toBe(200);
    expect(await addresses(token)).toEqual([]);
  });

  it('have a new password chosen, once; who has no account is answered the same, and sent nothing', async () => {
    const number = aNumber();
    await register('rob', number);
    const early = await post('account/password', { new_password: 'another' });
    expect(early.body['flows']).toEqual([{ stages: [STAGE] }]);
    const threepid_creds = await show('account/password', number, { nth: 2 });
    const wanted = { new_password: 'another', auth: { type: STAGE, threepid_creds } };
    expect((await post('account/password', wanted)).status).toBe(200);
    expect((await logIn({ user: 'rob' }, 'another')).status).toBe(200);
    expect((await post('account/password', { ...wanted, new_password: 'third' })).status).toBe(401);
    const unknown = aNumber();
    const { status, body } = await request('account/password', unknown.dialled);
    expect([status, Object.keys(body).toSorted()]).toEqual([200, ['msisdn', 'sid', 'submit_url']]);
    await show('register', number, { nth: 3, client_secret: 'later' }).catch(() => {});
    expect(gateway.received.filter(({ to }) => to === unknown.full)).toEqual([]);
  });

  it('have no password chosen for an account that is locked, which is answered the same, and sent nothing', async () => {
    const number = aNumber();
    const { userId } = await register('lena', number);
    await lock(userId, true);
    const answer = await request('account/password', number.dialled);
    expect([answer.status, Object.keys(answer.body).toSorted()]).toEqual([200, ['msisdn', 'sid', 'submit_url']]);
    await request('account/3pid', number.dialled);
    expect((await gateway.waitFor(number.full, 2)).text).toContain(`${userId} already`);
    await lock(userId, false);
    expect((await request('account/password', number.dialled, { send_attempt: 2 })).status).toBe(200);
    expect(await gateway.codeFor(number.full, 3)).toMatch(/^\d{8}$/);
  });

  it('have no page on which somebody shows them for a new password that another has asked for', async () => {
    const number = aNumber();
    await register('sue', number);
    const wanted = { new_password: 'of the one who sent the link' };
    const session = String((await post('account/password', wanted)).body['session']);
    const page = `${V3}/auth/${STAGE}/fallback/web?session=${session}`;
    const send = (fields: Record<string, string>): Promise<Answer> =>
      app.call('POST', page, { raw: new URLSearchParams(fields).toString() });
    for (const { status, text } of [
      await app.call('GET', page),
      await send({ phone_number: number.dialled, country: 'DE' }),
    ])
      expect([status, text.includes('This page holds no more')]).toEqual([404, true]);
    const { body } = await request('account/password', number.dialled);
    expect(await gateway.codeFor(number.full, 2)).toMatch(/^\d{8}$/);
    expect(body['sid']).toEqual(expect.any(String));
    expect((await post('account/password', { ...wanted, auth: { type: STAGE, session } })).status).not.toBe(200);
    expect((await logIn({ user: 'sue' }, 'password of sue')).status).toBe(200);
  });

  it('are shown for one purpose', async () => {
    const number = aNumber();
    const { token } = await register('paul');
    const creds = await show('register', number);
    const auth = { type: 'm.login.password', user: 'paul', password: 'password of paul' };
    const added = await post('account/3pid/add', { ...creds, auth }, token);
    expect(added.body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
  });

  it('take few wrong codes, also many at once, and none after an hour', async () => {
    const number = aNumber();
    const { body } = await request('register', number.dialled);
    const { pathname } = new URL(String(body['submit_url']));
    const submit = (token: string) => post(pathname, { sid: body['sid'], client_secret: 'secret', token });
    const code = await gateway.codeFor(number.full);
    const wrong = await Promise.all(Array.from({ length: 12 }, (_, n) => submit(String(n).padStart(8, '0'))));
    expect(wrong.every(({ status }) => status === 400 || status === 429)).toBe(true);
    for (let n = 0; n < 5; n++) await submit('99999999');
    expect((await submit(code)).body['errcode']).toBe('M_TOKEN_INCORRECT');
    const other = aNumber();
    const { body: second } = await request('register', other.dialled);
    const late = await gateway.codeFor(other.full);
    app.time.now += HOUR_MS + 1;
    const over = await post(pathname, { sid: second['sid'], client_secret: 'secret', token: late });
    expect(over.status).toBe(404);
    const anew = await request('register', other.dialled);
    expect(anew.status).toBe(200);
    expect(await gateway.codeFor(other.full, 2)).not.toBe(late);
  });

  it('are sent another message only for another attempt', async () => {
    const number = aNumber();
    const { body: first } = await request('register', number.dialled);
    const code = await gateway.codeFor(number.full);
    expect((await request('register', number.dialled)).body).toEqual(first);
    expect((await request('register', number.dialled, { send_attempt: 2 })).body).toEqual(first);
    expect(await gateway.codeFor(number.full, 2)).toBe(code);
    expect(gateway.received.filter(({ to }) => to === number.full)).toHaveLength(2);
  });

  it.each<[string, object, string]>([
    ['no number', { phone_number: 'hello' }, 'M_INVALID_PARAM'],
    ['no country', { country: 'ZZ' }, 'M_INVALID_PARAM'],
    ['a country to which nothing is sent', { country: 'AT', phone_number: '0664 1234567' }, 'M_THREEPID_DENIED'],
    ['no secret', { client_secret: 'two words' }, 'M_INVALID_PARAM'],
  ])('are not validated with %s', async (_, more, errcode) => {
    expect((await request('register', aNumber().dialled, more)).body['errcode']).toBe(errcode);
  });

  it('go through a page, which has the code sent and takes it', async () => {
    const number = aNumber();
    const { body } = await post('register', { username: 'page', password: 'x' });
    const path = `${V3}/auth/${STAGE}/fallback/web?session=${String(body['session'])}`;
    expect((await app.call('GET', path)).text).toContain('name="phone_number"');
    const form = new URLSearchParams({ country: 'de', phone_number: number.dialled }).toString();
    expect((await app.call('POST', path, { raw: form })).text).toContain(number.full);
    const wrong = await app.call('POST', path, { raw: 'code=1234' });
    expect(wrong.text).toContain('Wrong code');
    const code = await gateway.codeFor(number.full);
    expect((await app.call('POST', path, { raw: `code=${code}` })).text).toContain('Thank you');
    const auth = { session: body['session'] };
    const registered = await post('register', { username: 'page', password: 'x', auth });
    expect(await addresses(String(registered.body['access_token']))).toEqual([['msisdn', number.digits]]);
  });

  it('stand in the log nowhere before they were shown to be somebody’s', async () => {
    const number = aNumber();
    await request('register', number.dialled);
    await gateway.waitFor(number.full);
    for await (const facts of app.store.readAll({ after: START })) {
      expect(JSON.stringify(facts)).not.toContain(number.digits);
    }
  });
});

describe('where no messages are sent', () => {
  it('phone numbers are not validated, and a stage for them is not offered', async () => {
    const app = await startAccountsApp();
    const wanted = { client_secret: 's', country: 'DE', phone_number: '0151 12345678', send_attempt: 1 };
    for (const what of ['register', 'account/password', 'account/3pid']) {
      const { body } = await app.call('POST', `${V3}/${what}/msisdn/requestToken`, { body: wanted });
      expect(body['errcode']).toBe('M_THREEPID_MEDIUM_NOT_SUPPORTED');
    }
    const { body } = await app.call('POST', `${V3}/register`, { body: { username: 'x', password: 'x' } });
    expect(body['flows']).toEqual([{ stages: ['m.login.dummy'] }]);
    await app.close();
  });
});

describe('where a phone number and a mail address are required', () => {
  it('an account gets both, or is not made', async () => {
    const gateway = await startTextGateway();
    const mails = await startMailServer();
    const app = await startAccountsApp({
      ANNALS_SMTP_URL: mails.url,
      ANNALS_REGISTRATION_EMAIL: 'required',
      ANNALS_TEXT_MESSAGES: gateway.url,
      ANNALS_REGISTRATION_PHONE: 'required',
    });
    const post = async (path: string, body: object) => (await app.call('POST', `${V3}/${path}`, { body })).body;
    const wanted = { username: 'both', password: 'x' };
    const { flows, session } = await post('register', wanted);
    expect(flows).toEqual([{ stages: ['m.login.email.identity', STAGE] }]);
    const byMail = await post('register/email/requestToken', {
      client_secret: 's',
      email: 'both@mail.example',
      send_attempt: 1,
    });
    const { text } = await mails.waitFor('both@mail.example');
    await app.call('POST', `/${/https?:\/\/\S+\/(_matrix\/static\/\S+)/.exec(text)![1]!}`);
    const mailCreds = { sid: byMail['sid'], client_secret: 's' };
    const first = { type: 'm.login.email.identity', session, threepid_creds: mailCreds };
    expect((await post('register', { ...wanted, auth: first }))['completed']).toEqual(['m.login.email.identity']);
    const phone = { client_secret: 's', country: 'DE', phone_number: '0151 12345678', send_attempt: 1 };
    const byText = await post('register/msisdn/requestToken', phone);
    const phoneCreds = { sid: byText['sid'], client_secret: 's' };
    const code = await gateway.codeFor('+4915112345678');
    await app.call('POST', new URL(String(byText['submit_url'])).pathname, { body: { ...phoneCreds, token: code } });
    const done = await post('register', { ...wanted, auth: { type: STAGE, session, threepid_creds: phoneCreds } });
    const { body } = await app.call('GET', `${V3}/account/3pid`, { token: String(done['access_token']) });
    const media = (body['threepids'] as JsonObject[]).map(({ medium }) => medium).toSorted();
    expect(media).toEqual(['email', 'msisdn']);
    await app.close();
    await gateway.close();
    await mails.close();
  });
});
