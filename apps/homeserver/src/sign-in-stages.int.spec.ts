import 'reflect-metadata';
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandBus } from '@nestjs/cqrs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BY_SERVER } from '#accounts/accounts';
import { AddThreepid } from '#accounts/commands/add-threepid';
import type { UserId } from '#kernel/ids';
import { type CaptchaServer, SOLVED, startCaptchaServer } from '#testing/captcha-server';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { PageReader } from '../test/page-reader.js';
import { type Answer, WholeServer } from '../test/whole-server.js';

const OAUTH = '/_annals/oauth2';
const SIGN_IN = '/_annals/sign-in';
const ACCOUNT = '/_annals/account';
const PASSWORD = { user: 'alice', password: 'a password' };
const CLIENT = {
  client_name: 'A client',
  client_uri: 'https://app.example/',
  redirect_uris: ['https://app.example/callback'],
  token_endpoint_auth_method: 'none',
};

/** Where a page has a link to, by what stands on it. */
const linkIn = ({ text }: Answer, name: string): string =>
  new RegExp(`<a href="([^"]*)">${name}</a>`).exec(text)![1]!.replaceAll('&#38;', '&').replaceAll('&amp;', '&');

/** Where the second stage is of what was begun. */
const nextOf = (first: string): string => first.replace('step=0', 'step=1');

describe('signing in to let an application in, where a log-in takes several stages', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'annals-stages-'));
  let mails: MailServer;
  let server: WholeServer;
  let browser: PageReader;
  let authorise: string;

  beforeAll(async () => {
    mails = await startMailServer();
    const providers = join(folder, 'providers.yaml');
    const provider = {
      id: 'main',
      name: 'Main',
      issuer: 'https://provider.invalid',
      client_id: 'x',
      client_secret: 'y',
    };
    writeFileSync(providers, JSON.stringify({ providers: [provider] }));
    server = await WholeServer.start({
      ANNALS_OAUTH: 'on',
      ANNALS_SMTP_URL: mails.url,
      ANNALS_LOGIN_FLOWS: 'm.login.password+m.login.email.code',
      ANNALS_SSO_PROVIDERS: providers,
    });
    for (const name of ['alice', 'bob']) {
      const { userId } = await server.register(name);
      const threepid = { medium: 'email', address: `${name}@mail.example` } as const;
      await server.get(CommandBus).execute(new AddThreepid(userId as UserId, threepid, 1, BY_SERVER));
    }
    const registered = await server.request('POST', `${OAUTH}/register`, { body: JSON.stringify(CLIENT) });
    const asked = {
      response_type: 'code',
      client_id: String(JSON.parse(registered.text).client_id),
      redirect_uri: CLIENT.redirect_uris[0]!,
      scope: 'urn:matrix:client:api:* urn:matrix:client:device:DEVICE',
      state: 's',
      code_challenge: hash('sha256', 'a'.repeat(50), 'base64url'),
      code_challenge_method: 'S256',
    };
    authorise = `${OAUTH}/authorize?${new URLSearchParams(asked).toString()}`;
  });
  afterAll(async () => {
    await server.close();
    await mails.close();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => void (browser = new PageReader(server)));

  /** Begins as the page says that it goes; answers where the stages are. */
  async function begin(): Promise<string> {
    const page = await browser.get(authorise);
    const { headers } = await browser.get(linkIn(page, 'With a password and a code by mail'));
    return headers.location!;
  }
  const codeSentTo = async (name: string, number: number): Promise<string> =>
    /^\d{8}$/m.exec((await mails.waitFor(`${name}@mail.example`, number)).text)![0];

  it('takes all of them, and leads back to the application that asks', async () => {
    const first = await begin();
    expect((await browser.post(first, { ...PASSWORD, password: 'wrong' })).text).toContain('wrong password');
    const here = nextOf(first);
    // A button may be pressed twice: that is nothing said of the stage behind it.
    for (const _ of ['once', 'again']) expect((await browser.post(first, PASSWORD)).headers.location).toBe(here);
    // Nor is what is sent from where somebody goes back to: they are led to where it counts.
    expect((await browser.get(first)).headers.location).toBe(here);
    expect((await browser.get(here)).text).not.toContain('role="alert"');
    expect((await browser.get(authorise)).text).toContain('Sign in');
    await browser.post(here, { email: 'alice@mail.example' });
    // A mail that does not come, or went elsewhere, is no dead end.
    const waiting = await browser.get(here);
    const fresh = await browser.get(linkIn(waiting, 'Begin again'));
    expect(fresh.text).toContain('With a password and a code by mail');
    const code = await codeSentTo('alice', 1);
    expect((await browser.post(here, { code: '00000000' })).text).toContain('Wrong code');
    expect(browser.isSignedIn).toBe(false);
    const signedIn = await browser.post(here, { code });
    expect([signedIn.status, signedIn.headers.location]).toEqual([303, authorise]);
    const page = await browser.get(authorise);
    expect(page.text).toContain('A client');
    const { headers } = await browser.send(page, `${OAUTH}/authorize`, { answer: 'yes' });
    expect(headers.location).toMatch(/^https:\/\/app\.example\/callback\?code=/);
    // What is done is done once.
    expect((await browser.post(here, { code })).text).toContain('begin again');
  });

  it('has no form for a password alone, and takes none', async () => {
    const page = await browser.get(ACCOUNT);
    expect(page.text).toContain('Sign in');
    expect(page.text).not.toContain('type="password"');
    // Another form of this browser has what one for a password would have.
    const other = await browser.get((await browser.get('/_annals/sign-up')).headers.location!);
    const [, token] = /name="form_token" value="([^"]*)"/.exec(other.text)!;
    const sent = { form_token: token!, username: 'alice', password: 'a password', to: ACCOUNT };
    const { status, text } = await browser.post(SIGN_IN, sent);
    expect([status, text.includes('With a password and a code by mail')]).toEqual([403, true]);
    expect(browser.isSignedIn).toBe(false);
  });

  it('is not gone round by an account elsewhere', async () => {
    expect((await browser.get(ACCOUNT)).text).not.toContain('Main');
    for (const path of [`${SIGN_IN}/with/main`, `${SIGN_IN}/back?id=x&key=y`]) {
      const { status, text } = await browser.get(path);
      expect([status, text.includes('Nobody signs in by that alone here')]).toEqual([403, true]);
    }
  });

  it('is of one person from the first stage to the last', async () => {
    const first = await begin();
    await browser.post(first, PASSWORD);
    const here = nextOf(first);
    await browser.post(here, { user: 'bob', email: 'bob@mail.example' });
    const { text } = await browser.post(here, { code: await codeSentTo('bob', 1) });
    expect(text).toContain('role="alert"');
    expect(browser.isSignedIn).toBe(false);
  });

  it('is of the browser in which it was begun', async () => {
    const here = await begin();
    await browser.post(here, PASSWORD);
    const other = new PageReader(server);
    await other.get(ACCOUNT);
    expect((await other.get(here)).text).toContain('begin again');
    expect((await other.post(here, { email: 'alice@mail.example' })).text).toContain('begin again');
  });
});

describe('signing in where a captcha comes first, or a password alone does', { timeout: 60_000 }, () => {
  let captcha: CaptchaServer;
  let server: WholeServer;
  let browser: PageReader;

  beforeAll(async () => {
    captcha = await startCaptchaServer();
    server = await WholeServer.start({
      ANNALS_OAUTH: 'on',
      ANNALS_RECAPTCHA_SITE_KEY: 'site',
      ANNALS_RECAPTCHA_SECRET: 'secret',
      ANNALS_RECAPTCHA_VERIFY_URL: captcha.verifyUrl,
      ANNALS_RECAPTCHA_SCRIPT_URL: captcha.scriptUrl,
      ANNALS_LOGIN_FLOWS: 'm.login.password,m.login.recaptcha+m.login.password',
    });
    const auth = { type: 'm.login.recaptcha', response: SOLVED };
    const body = JSON.stringify({ username: 'alice', password: 'a password', auth });
    expect((await server.request('POST', '/_matrix/client/v3/register', { body })).status).toBe(200);
  });
  afterAll(async () => {
    await server.close();
    await captcha.close();
  });
  beforeEach(() => void (browser = new PageReader(server)));

  it('is by the form as ever', async () => {
    const page = await browser.get(ACCOUNT);
    await browser.send(page, SIGN_IN, { username: 'alice', password: 'a password' });
    expect(browser.isSignedIn).toBe(true);
  });

  it('is by the pages of the stages, of which that of the captcha has its script', async () => {
    const link = linkIn(await browser.get(ACCOUNT), 'With a captcha and a password');
    const first = (await browser.get(link)).headers.location!;
    expect((await browser.get(first)).text).toContain(captcha.scriptUrl);
    expect((await browser.post(first, { ...PASSWORD })).text).toContain('The captcha is not solved');
    const here = nextOf(first);
    expect((await browser.post(first, { 'g-recaptcha-response': SOLVED })).headers.location).toBe(here);
    expect((await browser.get(here)).text).toContain('type="password"');
    expect((await browser.post(here, PASSWORD)).headers.location).toBe(ACCOUNT);
    expect((await browser.get(ACCOUNT)).text).toContain('@alice:');
  });

  it('is so on the page of clients that know no flow, too', async () => {
    const page = '/_matrix/static/client/login';
    const link = linkIn(await browser.get(page), 'With a captcha and a password');
    const first = page + (await browser.get(page + link)).headers.location!;
    expect((await browser.get(first)).text).toContain(captcha.scriptUrl);
    const here = nextOf(first);
    for (const _ of ['once', 'again'])
      expect(page + (await browser.post(first, { 'g-recaptcha-response': SOLVED })).headers.location!).toBe(here);
    expect(page + (await browser.get(first)).headers.location!).toBe(here);
    expect((await browser.get(here)).text).not.toContain('role="alert"');
    expect((await browser.post(here, PASSWORD)).text).toContain('You are logged in as @alice:');
  });

  it.each([
    ['a sign-in', ACCOUNT],
    ['a log-in', '/_matrix/static/client/login'],
  ])('has nobody else go through a stage for who began it in their browser: of %s', async (_, page) => {
    const link = linkIn(await browser.get(page), 'With a captcha and a password');
    const begun = (await browser.get(link.startsWith('?') ? page + link : link)).headers.location!;
    const session = new URL(begun, 'http://here').searchParams.get('session')!;
    for (const stage of ['m.login.recaptcha', 'm.login.password']) {
      const sent = `/_matrix/client/v3/auth/${stage}/fallback/web?session=${session}`;
      expect((await new PageReader(server).get(sent)).status).toBe(404);
      expect((await new PageReader(server).post(sent, { 'g-recaptcha-response': SOLVED, ...PASSWORD })).status).toBe(
        404,
      );
    }
    expect((await browser.get(begun.startsWith('?') ? page + begun : begun)).text).toContain(captcha.scriptUrl);
  });
});
