import 'reflect-metadata';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExternalIds } from '#accounts/external-ids';
import { externalIdHash } from '#accounts/facts/external-id-facts';
import type { UserId } from '#kernel/ids';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { startTextGateway, type TextGateway } from '#testing/text-gateway';
import { type Claimed, type SmallOidcProvider, startSmallOidcProvider } from '#testing/small-oidc-provider';
import { PageReader } from '../test/page-reader.js';
import { type Answer, WholeServer } from '../test/whole-server.js';

// The suite looks at what it expects of each answer.
// oxlint-disable-next-line typescript/no-explicit-any
type Body = any;

const V3 = '/_matrix/client/v3';
const ACCOUNT = '/_annals/account';
const SSO = '/_matrix/client/unstable/dev.annals.sso';
const APP = 'https://app.example/';
const ELSEWHERE = 'dev.annals.accounts_elsewhere';

let folder: string;
let provider: SmallOidcProvider;
let mails: MailServer;
let texts: TextGateway;
let count = 0;
let name: string;
let browser: PageReader;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'annals-elsewhere-'));
  [provider, mails, texts] = await Promise.all([startSmallOidcProvider(), startMailServer(), startTextGateway()]);
});
afterAll(async () => {
  await provider.close();
  await mails.close();
  await texts.close();
  rmSync(folder, { recursive: true });
});

const fileWith = (file: string, content: object): string => {
  writeFileSync(join(folder, file), JSON.stringify(content));
  return join(folder, file);
};
const person = (further: object = {}): Claimed => ({ sub: `id-of-${name}`, preferred_username: name, ...further });
/** The path of a URL of the server, whatever it says where that is. */
const pathOf = (url: string): string =>
  new URL(url, 'http://here').href.slice(new URL(url, 'http://here').origin.length);

/** The path of a link on the pages between a provider and the server, wherever among them it stands. */
const ssoPath = (link: string): string =>
  /^\.\.?\//.test(link) ? `${SSO}/${link.replace(/^\.\.?\//, '')}` : pathOf(link);

/** Starts a server whose people have accounts at the provider. */
const start = (settings: Readonly<Record<string, string>> = {}, further: object = {}): Promise<WholeServer> => {
  const { issuer } = provider;
  const ids = [
    { id: 'one', name: 'The one' },
    { id: 'linking', name: 'Linking', existing_accounts: 'link' },
    { id: 'asking', name: 'Asking', user_name: 'ask' },
  ];
  const providers = ids.map((each) => ({ ...each, issuer, client_id: 'annals', userinfo: false, ...further }));
  const file = fileWith(`providers-${count}.yaml`, { providers });
  return WholeServer.start({ ANNALS_SSO_PROVIDERS: file, ANNALS_SSO_CLIENTS: APP, ...settings });
};

/** Follows redirects, over the provider too, until a page is shown or the browser leaves for the application. */
const follow = async (reader: PageReader, first: Answer): Promise<Answer> => {
  let answer = first;
  for (let hops = 0; hops < 10; hops++) {
    const refresh = String(answer.headers['refresh'] ?? '').replace('0;url=', '');
    const to = answer.headers.location ?? (refresh === '' ? undefined : refresh);
    if (to === undefined || to.startsWith(APP)) return answer;
    if (to.startsWith(provider.issuer)) {
      const sent = await fetch(to, { redirect: 'manual' });
      answer = await reader.get(pathOf(sent.headers.get('location')!));
    } else answer = await reader.get(ssoPath(to));
  }
  throw new Error('it leads nowhere');
};
const visit = async (reader: PageReader, path: string): Promise<Answer> => follow(reader, await reader.get(path));
const toApp = (id = 'one'): string => `${V3}/login/sso/redirect/${id}?redirectUrl=${encodeURIComponent(APP)}`;
const tokenIn = ({ headers }: Answer): string => new URL(headers.location!).searchParams.get('loginToken') ?? '';
const actionOn = ({ text }: Answer, part: string): string => {
  const found = [...text.matchAll(/action="([^"]*)"/g)].map(([, one]) => one!).find((one) => one.includes(part));
  if (found === undefined) throw new Error(`no form to ${part} in ${text}`);
  return ssoPath(found.replaceAll('&#38;', '&'));
};

describe('who comes from elsewhere', { timeout: 60_000 }, () => {
  const document = (version: string) => ({
    rules: { version, en: { name: 'House rules', url: 'https://a.example/r' } },
  });
  let server: WholeServer;
  beforeAll(async () => {
    server = await start(
      {
        ANNALS_TERMS: fileWith('terms.yaml', document('1')),
        ANNALS_SMTP_URL: mails.url,
        ANNALS_REGISTRATION_EMAIL: 'required',
      },
      { claims: { email: '{email}' } },
    );
  });
  afterAll(() => server.close());
  beforeEach(() => {
    name = `comer${++count}`;
    browser = new PageReader(server);
  });
  const logIn = async (token: string, on = server): Promise<Body> => {
    const body = JSON.stringify({ type: 'm.login.token', token });
    return JSON.parse((await on.request('POST', `${V3}/login`, { body })).text);
  };

  it('accepts the terms and shows a mail address before there is an account', async () => {
    provider.as(person());
    const page = await visit(browser, toApp());
    expect(page.text).toContain('House rules');
    expect(page.text).toContain('type="email"');
    expect((await server.request('GET', `${V3}/profile/@${name}:a.example`)).status).toBe(404);
    const email = `${name}@mail.example`;
    const unticked = await browser.post(actionOn(page, 'details'), { ticked: 'yes', email });
    expect(unticked.text).toContain('role="alert"');
    expect(unticked.text).toContain('A mail is on its way');
    const old = await browser.post(actionOn(unticked, 'details'), { ticked: 'yes', 'accept rules': '0' });
    expect(old.text).toContain('House rules');
    const accepted = await browser.post(actionOn(old, 'details'), { ticked: 'yes', 'accept rules': '1' });
    expect(accepted.text).not.toContain('House rules');
    expect(accepted.text).toContain('role="alert"');
    const { text } = await mails.waitFor(email);
    await server.request('POST', pathOf(/https?:\/\/\S+\/_matrix\/static\/\S+/.exec(text)![0]));
    const done = await follow(browser, await browser.post(actionOn(accepted, 'details'), {}));
    const { user_id: userId, access_token: token } = await logIn(tokenIn(done));
    expect(userId).toBe(`@${name}:a.example`);
    const addresses = JSON.parse((await server.request('GET', `${V3}/account/3pid`, { token })).text);
    expect(addresses.threepids).toMatchObject([{ address: email }]);
    const made = await server.request('POST', `${V3}/createRoom`, { token, body: '{}' });
    expect(made.status).toBe(200);
    // The next time nobody is asked anything.
    expect(tokenIn(await visit(new PageReader(server), toApp()))).not.toBe('');
  });

  it('is not asked for an address that the provider has verified', async () => {
    provider.as(person({ email: `${name}@mail.example`, email_verified: true }));
    const page = await visit(browser, toApp());
    expect(page.text).not.toContain('type="email"');
    const done = await follow(
      browser,
      await browser.post(actionOn(page, 'details'), { ticked: 'yes', 'accept rules': '1' }),
    );
    const { access_token: token } = await logIn(tokenIn(done));
    const addresses = JSON.parse((await server.request('GET', `${V3}/account/3pid`, { token })).text);
    expect(addresses.threepids).toMatchObject([{ address: `${name}@mail.example` }]);
  });

  it('comes once by what a browser holds, though it is shown again', async () => {
    provider.as(person({ email: `${name}@mail.example`, email_verified: true }));
    const away = await browser.get(toApp());
    const back = (await fetch(away.headers.location!, { redirect: 'manual' })).headers.get('location')!;
    const before = browser.cookie;
    const page = await browser.get(pathOf(back));
    const copied = (path: string, cookie: string, body?: string): Promise<Answer> =>
      server.request(body === undefined ? 'GET' : 'POST', path, { headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' }, body }); // prettier-ignore
    expect((await copied(pathOf(back), before)).status).toBe(403);
    const [asking, action] = [browser.cookie, actionOn(page, 'details')];
    const fields = { ticked: 'yes', 'accept rules': '1' };
    const shown = await browser.post(action, fields);
    expect((await copied(action, asking, new URLSearchParams(fields).toString())).status).toBe(403);
    const [cookie, path] = [browser.cookie, ssoPath(String(shown.headers['refresh']).slice(6))]; // prettier-ignore
    expect(tokenIn(await browser.get(path))).not.toBe('');
    expect((await copied(path, cookie)).status).toBe(403);
  });
});

describe('who comes from elsewhere, where accounts have a phone number', { timeout: 60_000 }, () => {
  let server: WholeServer;
  let digits: string;
  beforeAll(async () => {
    server = await start(
      { ANNALS_REGISTRATION_PHONE: 'required', ANNALS_TEXT_MESSAGES: texts.url },
      { claims: { phone: '{phone_number}' } },
    );
  });
  afterAll(() => server.close());
  beforeEach(() => {
    name = `caller${++count}`;
    digits = `4915112345${100 + count}`;
    browser = new PageReader(server);
  });
  const numberAfter = async (page: Answer): Promise<unknown> => {
    const body = JSON.stringify({ type: 'm.login.token', token: tokenIn(page) });
    const { access_token: token } = JSON.parse((await server.request('POST', `${V3}/login`, { body })).text);
    const { threepids } = JSON.parse((await server.request('GET', `${V3}/account/3pid`, { token })).text);
    return threepids.map(({ medium, address }: Body) => `${medium} ${address}`);
  };

  it('is not asked for one that the provider has verified', async () => {
    const written = `+49 (151) 12345-${100 + count}`;
    provider.as(person({ phone_number: written, phone_number_verified: true }));
    expect(await numberAfter(await visit(browser, toApp()))).toEqual([`msisdn ${digits}`]);
  });

  it('shows by a code that one is theirs where the provider has verified none, or it is another’s here', async () => {
    provider.as(person({ phone_number: `+${digits}`, phone_number_verified: false }));
    const page = await visit(browser, toApp());
    expect(page.text).toContain('name="phone_number"');
    const wrong = await browser.post(actionOn(page, 'details'), { phone_number: 'none', country: 'DE' });
    expect([wrong.text.includes('role="alert"'), wrong.text.includes('name="phone_number"')]).toEqual([true, true]);
    const sent = await browser.post(actionOn(wrong, 'details'), { phone_number: `+${digits}`, country: 'DE' });
    expect(sent.text).toContain(`is on its way to +${digits}`);
    const code = await texts.codeFor(`+${digits}`);
    const mistyped = await browser.post(actionOn(sent, 'details'), { code: code.replaceAll(/\d/g, (d) => String(9 - Number(d))) }); // prettier-ignore
    expect(mistyped.text).toContain('role="alert"');
    const done = await follow(browser, await browser.post(actionOn(mistyped, 'details'), { code }));
    expect(await numberAfter(done)).toEqual([`msisdn ${digits}`]);
    const taken = digits;
    name = `caller${++count}`;
    provider.as(person({ phone_number: `+${taken}`, phone_number_verified: true }));
    expect((await visit(new PageReader(server), toApp())).text).toContain('name="phone_number"');
  });
});

describe('later terms', { timeout: 60_000 }, () => {
  const documents = (version: string) => ({ rules: { version, en: { name: 'Rules', url: 'https://a.example/r' } } });
  beforeEach(() => {
    name = `reader${++count}`;
  });

  it.each(['on', 'off'])(
    'are asked of who has not accepted them; whether they may write meanwhile is %s',
    async (required) => {
      const server = await start({
        ANNALS_TERMS: fileWith('later.yaml', documents('2')),
        ANNALS_TERMS_REQUIRED: required,
        ANNALS_OAUTH: 'on',
      });
      browser = new PageReader(server);
      // Registered by an operator's tool, who accepts nothing for anybody.
      const nonce = JSON.parse((await server.request('GET', '/_synapse/admin/v1/register')).text).nonce as string;
      const { createHmac } = await import('node:crypto');
      const mac = createHmac('sha1', 'a shared secret')
        .update([nonce, name, 'a password', 'notadmin'].join('\0'))
        .digest('hex');
      const account = { nonce, username: name, password: 'a password', mac };
      const { access_token: token } = JSON.parse(
        (await server.request('POST', '/_synapse/admin/v1/register', { body: JSON.stringify(account) })).text,
      );
      const make = () => server.request('POST', `${V3}/createRoom`, { token, body: '{}' });
      const refused = await make();
      if (required === 'off') expect(refused.status).toBe(200);
      else {
        const { errcode, consent_uri: uri } = JSON.parse(refused.text);
        expect([refused.status, errcode]).toEqual([403, 'M_CONSENT_NOT_GIVEN']);
        expect((await server.request('GET', `${V3}/sync?timeout=0`, { token })).status).toBe(200);
        const path = pathOf(uri);
        const page = await browser.get(path);
        expect(page.text).toContain('Rules');
        expect(JSON.parse(refused.text).error).not.toContain('http');
        expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
        const [, formToken = ''] = /name="form_token" value="([^"]*)"/.exec(page.text)!;
        const accept = (fields: Record<string, string>) => browser.post(path, fields);
        expect((await accept({ 'accept rules': '2' })).status).toBe(403);
        expect((await accept({ 'accept rules': '1', form_token: formToken })).text).toContain('role="alert"');
        expect((await make()).status).toBe(403);
        expect((await browser.get(path.replace(/link=./, 'link=~'))).status).toBe(403);
        expect((await accept({ 'accept rules': '2', form_token: formToken })).text).toContain('Thank you');
        expect((await make()).status).toBe(200);
        expect((await browser.get(path)).text).toContain('Thank you');
      }
      await server.close();
    },
  );
});

describe('accounts elsewhere, on the pages of the server', { timeout: 60_000 }, () => {
  let server: WholeServer;
  beforeAll(async () => {
    server = await start({ ANNALS_OAUTH: 'on' });
  });
  afterAll(() => server.close());
  beforeEach(() => {
    name = `owner${++count}`;
    browser = new PageReader(server);
  });
  const json = async (method: string, path: string, body?: object, token?: string): Promise<[number, Body]> => {
    const parts = {
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(token === undefined ? {} : { token }),
    };
    const { status, text } = await server.request(method, path, parts);
    return [status, JSON.parse(text)];
  };
  const signIn = (reader = browser, id = 'one'): Promise<Answer> =>
    visit(reader, `/_annals/sign-in/with/${id}?to=${encodeURIComponent(ACCOUNT)}`);
  const open = (action: string): Promise<Answer> => browser.get(`${ACCOUNT}?action=${action}`);

  const logoutBy = async (logout_token: string, { on = server, at = 'one' } = {}): Promise<number> => {
    const body = new URLSearchParams({ logout_token }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return (await on.request('POST', `${SSO}/backchannel_logout/${at}`, { body, headers })).status;
  };
  const logout = async (claims: object, at?: string): Promise<number> =>
    logoutBy(await provider.logoutToken({ ...claims }), { at });
  /** Logs a client in, and answers its access token. */
  const logIn = async (): Promise<string> => {
    const token = tokenIn(await visit(new PageReader(server), toApp()));
    return (await json('POST', `${V3}/login`, { type: 'm.login.token', token }))[1].access_token;
  };
  const statusOf = async (token: string): Promise<number> =>
    (await json('GET', `${V3}/account/whoami`, undefined, token))[0];

  it('end what came of a log-in there once it ends: sessions, browsers, and what is under way', async () => {
    provider.as(person({ sid: `first ${name}` }));
    const other = new PageReader(server);
    await signIn(other);
    provider.as(person({ sid: `second ${name}` }));
    expect((await signIn()).text).toContain(`@${name}:a.example`);
    const token = tokenIn(await visit(new PageReader(server), toApp()));
    const [, { access_token: session }] = await json('POST', `${V3}/login`, { type: 'm.login.token', token });
    const unused = tokenIn(await visit(new PageReader(server), toApp()));
    const late = new PageReader(server);
    const unknownApp = toApp().replace('app.example', 'unknown.example');
    const asks = await visit(late, unknownApp);
    const goOn = /href="([^"]*continue[^"]*)"/.exec(asks.text)![1]!.replaceAll('&#38;', '&');
    // Of the session alone, without saying whose it is.
    expect(await logout({ sid: `second ${name}` })).toBe(200);
    expect((await json('GET', `${V3}/account/whoami`, undefined, session))[0]).toBe(401);
    expect((await json('POST', `${V3}/login`, { type: 'm.login.token', token: unused }))[0]).toBe(403);
    expect((await browser.get(ACCOUNT)).text).not.toContain(`@${name}:a.example`);
    expect((await late.get(ssoPath(goOn))).status).toBe(403);
    expect((await other.get(ACCOUNT)).text).toContain(`@${name}:a.example`);
    expect(await logout({ sub: `id-of-${name}` })).toBe(200);
    expect((await other.get(ACCOUNT)).text).not.toContain(`@${name}:a.example`);
    expect(await logout({})).toBe(400);
    expect(await logout({ sid: 'of nobody' })).toBe(200);
    expect(await logout({ sid: `second ${name}`, nonce: 'x' })).toBe(400);
  });

  it('end though the clock of the provider is ahead, or behind, by as much as those of servers are', async () => {
    const seconds = (by: number): number => Math.floor(Date.now() / 1000) + by;
    for (const [by, status] of [
      [45, 200],
      [90, 400],
      [-345, 200],
      [-400, 400],
    ] as const) {
      // As some say besides from when on a token counts.
      provider.as(person({ nbf: seconds(Math.min(45, Math.max(-45, by))) }));
      const session = await logIn();
      expect(await logout({ sub: `id-of-${name}`, iat: seconds(by) })).toBe(status);
      expect(await statusOf(session)).toBe(status === 200 ? 401 : 200);
    }
  });

  it('end by a token of a key that is newer than those which the provider was asked for', async () => {
    provider.as(person());
    const ended = { sub: `id-of-${name}` };
    const first = await logIn();
    expect([await logout(ended), await statusOf(first)]).toEqual([200, 401]);
    await provider.changeKey();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2_500 });
    try {
      const second = await logIn();
      expect([await logout(ended), await statusOf(second)]).toEqual([200, 401]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('end by a token once, though it is shown again', async () => {
    provider.as(person());
    const first = await logIn();
    const token = await provider.logoutToken({ sub: `id-of-${name}` });
    expect([await logoutBy(token), await statusOf(first)]).toEqual([200, 401]);
    const second = await logIn();
    expect([await logoutBy(token), await statusOf(second)]).toEqual([400, 200]);
    expect([await logout({ sub: `id-of-${name}` }), await statusOf(second)]).toEqual([200, 401]);
  });

  it('end by a token once, though it is shown again in the last second for which it is good', async () => {
    const second = Math.floor(Date.now() / 1000);
    vi.useFakeTimers({ toFake: ['Date'], now: second * 1000 });
    try {
      provider.as(person());
      const token = await provider.logoutToken({ sub: `id-of-${name}`, iat: second + 60, exp: second + 400 });
      expect(await logoutBy(token)).toBe(200);
      vi.setSystemTime((second + 420) * 1000 + 500);
      const later = await logIn();
      expect([await logoutBy(token), await statusOf(later)]).toEqual([400, 200]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('end for who was not known yet when they were ended there', async () => {
    for (const by of ['sid', 'sub']) {
      provider.as(person({ sid: `early ${name}` }));
      const mine = new PageReader(server);
      const asks = await visit(mine, toApp('asking'));
      expect(asks.text).toContain('Choose your user name');
      const ended = by === 'sid' ? { sid: `early ${name}` } : { sub: `id-of-${name}` };
      expect(await logout(ended, 'asking')).toBe(200);
      expect((await mine.post(actionOn(asks, 'details'), { name })).status).toBe(403);
      name = `owner${++count}`;
    }
    // A log-out of before is none of who has logged in anew since.
    provider.as(person());
    expect(await logout({ sub: `id-of-${name}` })).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await statusOf(await logIn())).toBe(200);
  });

  it('end a log-in of which the provider is only saying whose it is', async () => {
    provider.as(person());
    await logIn();
    for (const of of ['sid', 'sub', 'both']) {
      const [sub, sid] = [`id-of-${name}`, `${of} of ${name}`];
      provider.as(person({ sid }));
      const ended = of === 'sid' ? { sid } : of === 'sub' ? { sub } : { sub, sid };
      provider.before(async () => expect(await logout(ended)).toBe(200));
      expect((await visit(new PageReader(server), toApp())).status).toBe(403);
    }
    provider.as(person({ sid: `another of ${name}` }));
    expect(await statusOf(await logIn())).toBe(200);
  });

  it('end a log-in that was begun here before they ended, by whatever they are named, unless the provider says that it is a newer one', async () => {
    const [second, sub] = [Math.floor(Date.now() / 1000), `id-of-${name}`];
    provider.as(person());
    await logIn();
    const throughLogout = async (further: object): Promise<Answer> => {
      provider.as(person(further));
      const reader = new PageReader(server);
      const begun = await reader.get(toApp());
      expect(await logout({ sub })).toBe(200);
      return follow(reader, begun);
    };
    expect((await throughLogout({})).status).toBe(403);
    expect((await throughLogout({ auth_time: second - 3600 })).status).toBe(403);
    expect(tokenIn(await throughLogout({ auth_time: second + 3600 }))).not.toBe('');
    // By a clock that is ahead it was before, too.
    expect((await throughLogout({ auth_time: second + 20, iat: second + 50 })).status).toBe(403);
    // What is begun after a log-out is none of it, however old that session is there.
    provider.as(person({ auth_time: second - 3600 }));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const anew = await logIn();
    expect(await statusOf(anew)).toBe(200);
  });

  it('end for whom they were unlinked from since, too', async () => {
    provider.as(person());
    const session = await logIn();
    const userId = `@${name}:a.example` as UserId;
    const idHash = externalIdHash({ provider: 'one', subject: `id-of-${name}` });
    await server.get(ExternalIds).unlink(idHash, userId, { actor: userId }, () => {});
    expect(await statusOf(session)).toBe(200);
    expect([await logout({ sub: `id-of-${name}` }), await statusOf(session)]).toEqual([200, 401]);
  });

  it('may be logged out by their provider many at once: these are counted by themselves', async () => {
    const limited = await start({
      ANNALS_RATE_LIMITS: 'on',
      ANNALS_RATE_LIMIT_FIGURES: 'default=2:0.01,provider=10:0.01',
    });
    const statuses: number[] = [];
    for (let i = 0; i < 11; i++)
      statuses.push(await logoutBy(await provider.logoutToken({ sid: `one of many ${i}` }), { on: limited }));
    expect(statuses).toEqual([...Array<number>(10).fill(200), 429]);
    await limited.close();
  });

  it('let who was refused, or came back to nothing, begin anew, and are taken once', async () => {
    provider.as(person());
    const away = await browser.get(toApp());
    const state = new URL(away.headers.location!).searchParams.get('state')!;
    const callback = `${SSO}/callback/one?${new URLSearchParams({ state, error: 'temporarily_unavailable' })}`;
    const failed = await browser.get(callback);
    expect([failed.status, failed.text.includes('temporarily_unavailable')]).toEqual([403, true]);
    expect((await browser.get(callback)).status).toBe(403);
    const [, again = ''] = /href="([^"]*)">Begin anew/.exec(failed.text)!;
    const choice = await visit(browser, pathOf(again.replaceAll('&#38;', '&')));
    const [, link = ''] = /href="([^"]*begin\/one[^"]*)"/.exec(choice.text)!;
    expect(tokenIn(await visit(browser, pathOf(link.replaceAll('&#38;', '&'))))).not.toBe('');
  });

  it('confirm what could do harm by a log-in for just that, whenever one signed in', async () => {
    provider.as(person());
    await signIn();
    const userId = `@${name}:a.example`;
    const page = await open('org.matrix.account_deactivate');
    expect(page.text).toContain('Confirm with The one');
    const close = `${ACCOUNT}/close`;
    const refused = await browser.send(page, close, { confirmed: userId });
    expect([refused.status, refused.text.includes('Confirm first')]).toEqual([403, true]);
    const begin = (action: string) => visit(browser, `${ACCOUNT}/confirm/one?action=${action}`);
    // What was confirmed for one thing is good for no other.
    const forKeys = await begin('org.matrix.cross_signing_reset');
    expect(provider.asked.at(-1)!.get('prompt')).toBe('login');
    const [, confirmation = ''] = /name="confirmation" value="([^"]*)"/.exec(forKeys.text)!;
    expect((await browser.send(page, close, { confirmed: userId, confirmation })).status).toBe(403);
    // Nor by somebody else, nor in another browser, nor where the provider asked nobody.
    provider.as({ sub: 'somebody else', preferred_username: `else${name}` });
    expect((await begin('org.matrix.account_deactivate')).status).toBe(403);
    for (const auth_time of [1_700_000_000, undefined]) {
      provider.as(person({ auth_time }));
      expect((await begin('org.matrix.account_deactivate')).status).toBe(403);
    }
    provider.as(person());
    const forThis = await begin('org.matrix.account_deactivate');
    const [, own = ''] = /name="confirmation" value="([^"]*)"/.exec(forThis.text)!;
    const another = new PageReader(server);
    await signIn(another);
    const theirs = await another.get(`${ACCOUNT}?action=org.matrix.account_deactivate`);
    expect((await another.send(theirs, close, { confirmed: userId, confirmation: own })).status).toBe(403);
    expect((await browser.send(forThis, close, { confirmed: userId })).text).toContain('Your account is closed');
  });

  it('are linked and unlinked, but for the last by which one can sign in', async () => {
    provider.as(person());
    await signIn();
    const confirmed = async (): Promise<Answer> => visit(browser, `${ACCOUNT}/confirm/one?action=${ELSEWHERE}`);
    const page = await confirmed();
    const idHash = /name="unlink" value="([^"]*)"/.exec(page.text)![1]!;
    const last = await browser.send(page, `${ACCOUNT}/elsewhere`, { unlink: idHash });
    expect([last.status, last.text.includes('no other way')]).toEqual([403, true]);
    // Nobody begins it by a link.
    expect((await browser.get(`${ACCOUNT}/elsewhere`)).status).toBe(405);
    const again = await confirmed();
    provider.as({ sub: `second of ${name}`, preferred_username: 'whatever' });
    const linked = await follow(browser, await browser.send(again, `${ACCOUNT}/elsewhere`, { link: 'linking' }));
    expect(linked.text).toContain(`second of ${name}`);
    const other = new PageReader(server);
    expect((await signIn(other, 'linking')).text).toContain(`@${name}:a.example`);
    provider.as(person());
    const third = await confirmed();
    const gone = await follow(browser, await browser.send(third, `${ACCOUNT}/elsewhere`, { unlink: idHash }));
    expect(gone.text).not.toContain(`id-of-${name}`);
    // Somebody else's is not linked.
    const victim = `${name}x`;
    provider.as({ sub: `id-of-${victim}`, preferred_username: victim });
    await signIn(new PageReader(server));
    provider.as({ sub: `second of ${name}`, preferred_username: 'whatever' });
    const fourth = await visit(browser, `${ACCOUNT}/confirm/linking?action=${ELSEWHERE}`);
    provider.as({ sub: `id-of-${victim}`, preferred_username: victim });
    const stolen = await follow(browser, await browser.send(fourth, `${ACCOUNT}/elsewhere`, { link: 'one' }));
    expect([stolen.status, stolen.text.includes('somebody else')]).toEqual([403, true]);
  });

  it('are not linked for who was logged out at the provider meanwhile, which may be by logging in there as another', async () => {
    const ended = { sid: `first ${name}` };
    provider.as(person(ended));
    await signIn();
    const page = await visit(browser, `${ACCOUNT}/confirm/one?action=${ELSEWHERE}`);
    provider.as({ sub: `second of ${name}`, preferred_username: 'whatever' });
    provider.before(async () => expect(await logout(ended)).toBe(200));
    const refused = await follow(browser, await browser.send(page, `${ACCOUNT}/elsewhere`, { link: 'asking' }));
    expect([refused.status, refused.text.includes('signed out here meanwhile')]).toEqual([403, true]);
    provider.as(person({ sid: `again ${name}` }));
    expect((await signIn()).text).toContain(`@${name}:a.example`);
    expect((await visit(browser, `${ACCOUNT}?action=${ELSEWHERE}`)).text).not.toContain(`second of ${name}`);
  });

  it('are given no account by a name that is another’s there by now', async () => {
    await server.register(name);
    provider.as(person());
    expect((await signIn(browser, 'linking')).text).toContain(`@${name}:a.example`);
    // The name was given to somebody new.
    provider.as({ sub: `a new ${name}`, preferred_username: name });
    const newcomer = await signIn(new PageReader(server), 'linking');
    expect(newcomer.text).toContain('Choose your user name');
    provider.as(person());
    expect((await signIn(new PageReader(server), 'linking')).text).toContain(`@${name}:a.example`);
  });

  it('are among the ways by which a client is logged in that knows no OAuth 2.0', async () => {
    const [, { flows }] = await json('GET', `${V3}/login`);
    const sso = flows.find(({ type }: Body) => type === 'm.login.sso');
    expect(sso).toMatchObject({ oauth_aware_preferred: true, 'org.matrix.msc3824.delegated_oidc_compatibility': true });
    expect(flows).toContainEqual(expect.objectContaining({ type: 'm.login.token' }));
    const redirect = (action: string, to = APP) =>
      `${V3}/login/sso/redirect?${new URLSearchParams({ redirectUrl: to, action }).toString()}`;
    expect((await visit(new PageReader(server), redirect('register'))).text).toContain('Create an account');
    await server.register(name);
    const page = await visit(browser, redirect('login', 'https://unknown.example/?a=b'));
    expect(page.text).toContain('Go on with The one');
    const answer = await browser.send(page, '/_annals/sign-in', { username: name, password: 'a password' });
    const asks = await browser.get(answer.headers.location!);
    expect(asks.text).toContain('unknown.example');
    expect(asks.text).not.toContain('annals_lt_');
    const path = actionOn(asks, '/_annals/login');
    expect((await browser.post(path, {})).status).toBe(403);
    const back = await browser.send(asks, '/_annals/login', {});
    expect(back.headers.location).toMatch(/^https:\/\/unknown\.example\/\?a=b&loginToken=/);
    const [status, { user_id: userId }] = await json('POST', `${V3}/login`, {
      type: 'm.login.token',
      token: tokenIn(back),
    });
    expect([status, userId]).toEqual([200, `@${name}:a.example`]);
    // A client that the operator trusts gets it at once.
    expect((await visit(browser, redirect('login'))).headers.location).toContain(`${APP}?loginToken=`);
    expect((await browser.get(redirect('login', 'javascript:alert(1)'))).status).toBe(400);
  });
});
