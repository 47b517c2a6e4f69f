import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type CaptchaServer, SOLVED, startCaptchaServer } from '#testing/captcha-server';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { annals } from './support/annals.js';
import { HAS_BROWSER, NEEDS_BROWSER, picture, RealBrowser } from './support/browser.js';
import { HandBrowser, type Visit } from './support/hand-browser.js';
import { type Answer, Homeserver } from './support/homeserver.js';

const V3 = '/_matrix/client/v3';
const V1 = '/_matrix/client/api/v1';
const [CAPTCHA, TERMS, IDENTITY, PASSWORD] = [
  'm.login.recaptcha',
  'm.login.terms',
  'm.login.email.identity',
  'm.login.password',
];
const DOCUMENTS = `
terms_of_service:
  version: "2"
  en: { name: Terms of service, url: "https://example.org/terms" }
  de: { name: Nutzungsbedingungen, url: "https://example.org/bedingungen" }
privacy_policy:
  version: "1.2"
  en: { name: Privacy policy, url: "https://example.org/privacy" }
`;

let mails: MailServer;
let captcha: CaptchaServer;
let server: Homeserver;

beforeAll(async () => {
  [mails, captcha, server] = await Promise.all([startMailServer(), startCaptchaServer(), Homeserver.start()]);
  const terms = join(server.directory, 'terms.yaml');
  writeFileSync(terms, DOCUMENTS);
  server.set({
    ANNALS_PUBLIC_URL: server.base,
    ANNALS_SMTP_URL: mails.url,
    ANNALS_MAIL_FROM: 'The library <library@e2e.example>',
    ANNALS_RECAPTCHA_SITE_KEY: 'site',
    ANNALS_RECAPTCHA_SECRET: 'secret',
    ANNALS_RECAPTCHA_VERIFY_URL: captcha.verifyUrl,
    ANNALS_RECAPTCHA_SCRIPT_URL: captcha.scriptUrl,
    ANNALS_REGISTRATION_EMAIL: 'required',
    ANNALS_TERMS: terms,
  });
  await server.restart();
}, 240_000);
afterAll(async () => {
  await server.remove();
  await captcha.close();
  await mails.close();
});

const post = (path: string, body: object): Promise<Answer> => server.request('POST', path, { body });
const linkIn = ({ text }: { text: string }): string => /https?:\/\/\S+\/_matrix\/static\/\S+/.exec(text)![0];
const pathOf = (link: string): string => link.slice(server.base.length);
const addressOf = (name: string): string => `${name}@mail.example`;
const open = async (name: string, number: number): Promise<void> => {
  await server.request('POST', pathOf(linkIn(await mails.waitFor(addressOf(name), number))));
};

describe('stages', { timeout: 120_000 }, () => {
  test("of today's registration are gone on with after a restart, and a password is chosen anew by mail", async () => {
    const wanted = { username: 'ada', password: 'password of ada', device_id: 'DESK' };
    const { session } = (await post(`${V3}/register`, wanted)).body as { session: string };
    const pass = (auth: object) => post(`${V3}/register`, { ...wanted, auth: { session, ...auth } });
    expect((await pass({ type: CAPTCHA, response: 'guessed' })).status).toBe(401);
    expect((await pass({ type: CAPTCHA, response: SOLVED })).body.completed).toEqual([CAPTCHA]);
    await server.restart();
    expect((await pass({ type: TERMS })).body.completed).toEqual([CAPTCHA, TERMS]);
    const asked = { client_secret: 'a_secret', email: addressOf('ada'), send_attempt: 1 };
    const { sid } = (await post(`${V3}/register/email/requestToken`, asked)).body as { sid: string };
    await open('ada', 1);
    await server.restart();
    const registered = await pass({ type: IDENTITY, threepid_creds: { sid, client_secret: asked.client_secret } });
    expect(registered.body).toMatchObject({ user_id: '@ada:e2e.example', device_id: 'DESK' });
    const token = String(registered.body.access_token);
    const { threepids } = (await server.request('GET', `${V3}/account/3pid`, { token })).body as {
      threepids: object[];
    };
    expect(threepids).toMatchObject([{ medium: 'email', address: addressOf('ada') }]);

    const reset = { ...asked, client_secret: 'another' };
    const begun = (await post(`${V3}/account/password/email/requestToken`, reset)).body as { sid: string };
    await open('ada', 2);
    const threepid_creds = { sid: begun.sid, client_secret: reset.client_secret };
    const chosen = { new_password: 'another password', auth: { type: IDENTITY, threepid_creds } };
    expect((await post(`${V3}/account/password`, chosen)).status).toBe(200);
    expect((await server.request('GET', `${V3}/account/whoami`, { token })).status).toBe(401);
    const identifier = { type: 'm.id.thirdparty', medium: 'email', address: addressOf('ada') };
    const login = { type: PASSWORD, identifier, password: 'another password' };
    expect((await post(`${V3}/login`, login)).body.user_id).toBe('@ada:e2e.example');
  });

  test('of 2015 lead to an account, and a code and a link in a mail into it', async () => {
    const { flows } = (await server.request('GET', `${V1}/register`)).body as { flows: { type: string }[] };
    expect(flows).toEqual([{ type: CAPTCHA, stages: [CAPTCHA, TERMS, IDENTITY, PASSWORD] }]);
    const step = async (body: object) => (await post(`${V1}/register`, body)).body as Record<string, string>;
    const { session } = await step({ type: CAPTCHA, challenge: 'of then', response: SOLVED });
    expect(await step({ type: TERMS, session })).toEqual({ next: IDENTITY, session });
    await step({ type: IDENTITY, session, email: addressOf('bob') });
    await open('bob', 1);
    expect(await step({ type: IDENTITY, session })).toEqual({ next: PASSWORD, session });
    const last = { type: PASSWORD, session, user: 'bob', password: 'password of bob' };
    expect(await step(last)).toMatchObject({ user_id: '@bob:e2e.example', access_token: expect.any(String) });

    const byCode = { type: 'm.login.email.code', user: 'bob', email: addressOf('bob') };
    const asked = (await post(`${V1}/login`, byCode)).body as { session: string };
    const code = /^\d{8}$/m.exec((await mails.waitFor(addressOf('bob'), 2)).text)![0];
    const answered = await post(`${V1}/login`, { type: byCode.type, session: asked.session, code });
    expect(answered.body).toMatchObject({ user_id: '@bob:e2e.example', access_token: expect.any(String) });

    const byLink = { type: 'm.login.email.url', user: '@bob:e2e.example', email: addressOf('bob') };
    const begun = (await post(`${V1}/login`, byLink)).body as { session: string };
    const poll = () => post(`${V1}/login`, { type: byLink.type, session: begun.session });
    expect((await poll()).body.errcode).toBe('M_LOGIN_EMAIL_URL_NOT_YET');
    await open('bob', 3);
    expect((await poll()).body.user_id).toBe('@bob:e2e.example');
  });
});

describe('pages of 2015 for who has no script', { timeout: 120_000 }, () => {
  let browser: HandBrowser;
  let page: Visit;
  const visit = async (path: string): Promise<void> => void (page = await browser.visit(`${server.base}${path}`));
  /** Sends the form of the page, with what it holds itself, as its button does. */
  const send = async (form: Readonly<Record<string, string>>): Promise<void> => {
    page = await browser.visit(page.url, form);
    expect([page.status, page.text]).toEqual([200, page.text]);
  };
  const ticked = (): Record<string, string> =>
    Object.fromEntries(
      [...page.text.matchAll(/name="([^"]+)" value="([^"]+)"/g)].map(([, name, value]) => [name, value]),
    );
  beforeEach(() => void (browser = new HandBrowser([new URL(server.base).host])));

  test('lead through all of a registration, and into the account by a password, a code and a link', async () => {
    await visit(`${V1}/register/fallback`);
    // What the script of the captcha alone can fill in.
    expect(page.text).toContain('<noscript>');
    await send({ 'g-recaptcha-response': 'guessed' });
    expect(page.text).toContain('role="alert"');
    await send({ 'g-recaptcha-response': SOLVED });
    await send({ ticked: 'yes' });
    expect(page.text).toContain('role="alert"');
    await send(ticked());
    await send({ email: addressOf('nora') });
    expect(page.text).toContain(addressOf('nora'));
    await send({});
    expect(page.text).toContain('role="alert"');
    await open('nora', 1);
    await send({});
    await send({ user: 'no name', password: 'password of nora' });
    expect(page.text).toContain('role="alert"');
    await send({ user: 'nora', password: 'password of nora' });
    expect(page.text).toContain('There is an account for you as @nora:e2e.example');

    const loggedIn = 'You are logged in as @nora:e2e.example';
    const choose = async (way: string): Promise<void> => {
      await visit(`${V1}/login/fallback`);
      const link = new RegExp(`href="([^"]+)">${way}<`).exec(page.text)![1]!.replaceAll('&#38;', '&');
      page = await browser.visit(new URL(link, page.url).href);
    };
    await choose('With a password');
    await send({ user: 'nora', password: 'wrong' });
    expect(page.text).toContain('role="alert"');
    await send({ user: 'nora', password: 'password of nora' });
    expect(page.text).toContain(loggedIn);
    await choose('With a code by mail');
    await send({ email: addressOf('nora') });
    const code = /^\d{8}$/m.exec((await mails.waitFor(addressOf('nora'), 2)).text)![0];
    await send({ code });
    expect(page.text).toContain(loggedIn);
    await choose('With a link by mail');
    await send({ email: addressOf('nora') });
    await open('nora', 3);
    await send({});
    expect(page.text).toContain(loggedIn);
  });

  test('are of the browser in which they were begun', async () => {
    await visit(`${V1}/login/fallback?flow=0`);
    const other = await new HandBrowser([new URL(server.base).host]).visit(page.url);
    expect(other.text).toContain('Begin again');
  });
});

describe.runIf(HAS_BROWSER)(`pages (${NEEDS_BROWSER})`, { timeout: 120_000 }, () => {
  let browser: RealBrowser;
  let person: BrowserContext;
  let page: Page;
  beforeAll(async () => void (browser = await RealBrowser.start()));
  afterAll(() => browser.close());
  beforeEach(async () => {
    person = await browser.newPerson();
    page = await person.newPage();
  });
  afterEach(() => person.close());

  const press = (name: string) => page.getByRole('button', { name }).click();
  const type = (label: string, text: string) => page.getByLabel(label).fill(text);
  const openLink = async (name: string, number: number): Promise<void> => {
    const mail = await person.newPage();
    await mail.goto(linkIn(await mails.waitFor(addressOf(name), number)));
    await picture(mail, 'mail-link');
    await mail.getByRole('button', { name: 'Yes' }).click();
    await mail.getByText('You can go back to your application now').waitFor();
    await mail.close();
  };

  test('register somebody through all stages, log them in in three ways, and hand the session over', async () => {
    await page.goto(`${server.base}${V1}/register/fallback`);
    await page.getByText('I am a person').waitFor();
    await picture(page, 'registration-captcha');
    await press('Continue');
    for (const box of await page.getByRole('checkbox').all()) await box.check();
    await picture(page, 'registration-terms');
    await press('Continue');
    await type('Mail address', addressOf('eve'));
    await press('Send a mail');
    await page.getByText(addressOf('eve')).waitFor();
    await openLink('eve', 1);
    await press('Continue');
    await type('User name', 'ada');
    await type('Password', 'password of eve');
    await picture(page, 'registration-name');
    await press('Create the account');
    await page.getByRole('alert').getByText('User ID already taken').waitFor();
    await type('User name', 'eve');
    await type('Password', 'password of eve');
    await press('Create the account');
    await page.getByText('@eve:e2e.example').waitFor();

    const logIn = async (way: string): Promise<void> => {
      await page.addInitScript('window.matrixLogin = { onLogin: (answer) => { window.handedOver = answer; } }');
      await page.goto(`${server.base}/_matrix/static/client/login/?device_id=PAGE&initial_device_display_name=Page`);
      await picture(page, 'login-choice');
      await page.getByRole('link', { name: way }).click();
    };
    const handedOver = async (): Promise<unknown> => {
      await page.getByText('You are logged in').waitFor();
      return page.evaluate('window.handedOver');
    };
    const session = { user_id: '@eve:e2e.example', device_id: 'PAGE', access_token: expect.any(String) };

    await logIn('With a password');
    await type('User name', 'eve');
    await type('Password', 'wrong');
    await press('Log in');
    await page.getByRole('alert').getByText('wrong password').waitFor();
    await picture(page, 'login-password');
    await type('User name', addressOf('eve'));
    await type('Password', 'password of eve');
    await press('Log in');
    expect(await handedOver()).toMatchObject(session);

    await logIn('With a code by mail');
    await type('Mail address', addressOf('eve'));
    await press('Send a mail');
    const code = /^\d{8}$/m.exec((await mails.waitFor(addressOf('eve'), 2)).text)![0];
    await type('Code', code);
    await picture(page, 'login-code');
    await press('Continue');
    expect(await handedOver()).toMatchObject(session);

    await logIn('With a link by mail');
    await type('Mail address', addressOf('eve'));
    await press('Send a mail');
    await press('Continue');
    await page.getByRole('alert').getByText('has not been opened yet').waitFor();
    await openLink('eve', 3);
    await press('Continue');
    expect(await handedOver()).toMatchObject(session);
  });

  test('ask who was here before to accept what is new, and let them go on with what they were about', async () => {
    const { output } = await annals(server, 'users', 'create', 'gil', '--generate-password');
    const login = { type: PASSWORD, user: 'gil', password: /\): (\S+)/.exec(output)![1] };
    const token = String((await post(`${V3}/login`, login)).body.access_token);
    const makeRoom = (): Promise<Answer> => server.request('POST', `${V3}/createRoom`, { token, body: {} });
    const refused = await makeRoom();
    expect([refused.status, refused.body.errcode]).toEqual([403, 'M_CONSENT_NOT_GIVEN']);
    await page.goto(String(refused.body.consent_uri));
    await page.getByText('@gil:e2e.example').waitFor();
    await page.getByRole('link', { name: 'Nutzungsbedingungen' }).waitFor();
    await picture(page, 'terms-consent');
    const boxes = await page.getByRole('checkbox').all();
    expect(boxes).toHaveLength(2);
    // The browser itself asks for all of them.
    await boxes[0]!.check();
    await press('Accept');
    expect(await page.getByText('You can go back to your application now').count()).toBe(0);
    expect((await makeRoom()).status).toBe(403);
    await boxes[1]!.check();
    await press('Accept');
    await page.getByText('You can go back to your application now').waitFor();
    expect((await makeRoom()).status).toBe(200);
    await page.goto(String(refused.body.consent_uri));
    await page.getByText('You can go back to your application now').waitFor();
  });

  test('let nobody go through stages for somebody else', async () => {
    await page.goto(`${server.base}/_matrix/static/client/login?flow=0`);
    await page.getByLabel('User name').waitFor();
    const other = await browser.newPerson();
    const victim = await other.newPage();
    await victim.goto(page.url());
    await victim.getByText('Begin again').waitFor();
    await other.close();
  });

  test('are readable by who has no script, and by mail programs', async () => {
    const mail = await mails.waitFor(addressOf('eve'), 1);
    await page.setContent(mail.html);
    await page.getByRole('link', { name: 'Confirm the address' }).waitFor();
    await picture(page, 'mail');
    expect(mail.source).toContain('From: The library <library@e2e.example>');
    const quiet = await browser.newPerson({ javaScriptEnabled: false });
    const plain = await quiet.newPage();
    await plain.goto(`${server.base}/_matrix/static/client/login?flow=0`);
    await plain.getByLabel('User name').fill('eve');
    await plain.getByLabel('Password').fill('password of eve');
    await plain.getByRole('button', { name: 'Log in' }).click();
    await plain.getByText('You are logged in').waitFor();
    await quiet.close();
  });
});
