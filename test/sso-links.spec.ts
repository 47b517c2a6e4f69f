import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { freePort } from '#testing/free-port';
import { HandBrowser, linkOn } from './support/hand-browser.js';
import { type Answer, Homeserver } from './support/homeserver.js';
import { OidcProvider } from './support/oidc-provider.js';

const V1 = '/_matrix/client/api/v1';
const CALLBACK = '/_matrix/client/unstable/dev.annals.sso/callback';
const [TERMS, IDENTITY, OAUTH2, CODE] = [
  'm.login.terms',
  'm.login.email.identity',
  'm.login.oauth2',
  'm.login.email.code',
];
const DOCUMENTS = 'tos: { version: "1", en: { name: Terms, url: "https://example.org/terms" } }';

/** A link of `m.login.oauth2` that somebody sends to somebody else, whom their provider lets through silently. */
describe('a link of m.login.oauth2 that another browser opens', () => {
  const folder = mkdtempSync(join(tmpdir(), 'annals-sso-links-'));
  let mails: MailServer;
  let provider: OidcProvider;
  let server: Homeserver;
  const browser = (): HandBrowser => new HandBrowser([new URL(server.base).host, provider.host]);

  beforeAll(async () => {
    const port = await freePort();
    [mails, provider] = await Promise.all([
      startMailServer(),
      OidcProvider.start([`http://127.0.0.1:${port}${CALLBACK}/main`]),
    ]);
    const { issuer } = provider;
    const main = { id: 'main', name: 'Main', issuer, client_id: 'annals', client_secret: 'a secret of the server' };
    writeFileSync(join(folder, 'providers.yaml'), JSON.stringify({ providers: [main] }));
    writeFileSync(join(folder, 'terms.yaml'), DOCUMENTS);
    server = new Homeserver({
      env: {
        ANNALS_SSO_PROVIDERS: join(folder, 'providers.yaml'),
        ANNALS_TERMS: join(folder, 'terms.yaml'),
        ANNALS_SMTP_URL: mails.url,
        ANNALS_MAIL_FROM: 'The library <library@e2e.example>',
        ANNALS_REGISTRATION_EMAIL: 'required',
        ANNALS_LOGIN_FLOWS: `${OAUTH2}+${CODE}`,
      },
    });
    await server.start(port);
    await provider.as({ sub: 'id-of-vera', preferred_username: 'vera', name: 'Vera' });
  });
  afterAll(async () => {
    await server.remove();
    await provider.end();
    await mails.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const step = (path: string, body: object): Promise<Answer> => server.request('POST', `${V1}/${path}`, { body });
  const openMail = async (address: string): Promise<void> => {
    const { text } = await mails.waitFor(address);
    const link = /https?:\/\/\S+\/_matrix\/static\/\S+/.exec(text)![0];
    await server.request('POST', link.slice(server.base.length));
  };

  it('takes no address, documents or name of whoever made it', async () => {
    const { session } = (await step('register', { type: TERMS })).body;
    await step('register', { type: IDENTITY, session, email: 'mallory@mail.example' });
    await openMail('mallory@mail.example');
    expect((await step('register', { type: IDENTITY, session })).body.session).toBe(session);
    const { uri } = (await step('register', { type: OAUTH2, session, user: 'mallorys' })).body;

    const veras = browser();
    const asked = await veras.visit(uri);
    for (const part of ['value="mallorys"', 'I accept', 'Mail address']) expect(asked.text).toContain(part);
    expect(asked.text).not.toContain('mallory@');
    const profile = '/_matrix/client/v3/profile/';
    expect((await server.request('GET', `${profile}@mallorys:e2e.example`)).status).toBe(404);

    const answers = { name: 'vera', ticked: 'yes', 'accept tos': '1', email: 'vera@mail.example' };
    const waits = await veras.visit(linkOn(asked, '/details'), answers);
    expect(waits.text).toContain('on its way to vera@mail.example');
    await openMail('vera@mail.example');
    const made = JSON.parse((await veras.visit(linkOn(waits, '/details'), { email: '' })).text);
    expect(made.user_id).toBe('@vera:e2e.example');
    const { body } = await server.request('GET', '/_matrix/client/v3/account/3pid', { token: made.access_token });
    expect(body.threepids).toMatchObject([{ address: 'vera@mail.example' }]);
  });

  it('passes no stage for whoever made it before somebody says yes', async () => {
    const { session, uri } = (await step('login', { type: OAUTH2 })).body;
    const goesOn = async (): Promise<number> =>
      (await step('login', { type: CODE, session, user: 'vera', email: 'vera@mail.example' })).status;
    const veras = browser();
    const asked = await veras.visit(uri);
    expect(asked.text).toContain('log in to your account <strong>@vera:e2e.example</strong>');
    expect(asked.headers.get('x-frame-options')).toBe('DENY');
    expect(await goesOn()).toBe(403);
    const button = linkOn(asked, '/confirm');
    expect((await browser().visit(button, {})).status).toBe(403);
    expect(await goesOn()).toBe(403);
    expect(JSON.parse((await veras.visit(button, {})).text)).toEqual({ next: CODE, session });
    expect(await goesOn()).toBe(200);
    // Once is enough.
    expect((await veras.visit(button, {})).status).toBe(403);
  });
});
