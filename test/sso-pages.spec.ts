import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '#testing/free-port';
import { HAS_BROWSER, NEEDS_BROWSER, picture, RealBrowser } from './support/browser.js';
import { Homeserver, registerAt } from './support/homeserver.js';
import { OidcProvider } from './support/oidc-provider.js';

const CALLBACK = '/_matrix/client/unstable/dev.annals.sso/callback';

/** What people see who log in with an account elsewhere: forms, links and redirects as a browser takes them, with its policies and cookies. */
describe.skipIf(!HAS_BROWSER)(`the pages of single sign-on ${NEEDS_BROWSER}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'annals-sso-pages-'));
  let provider: OidcProvider;
  let server: Homeserver;
  let browser: RealBrowser;
  /** A client on the web: it takes tokens. */
  let client: Server;
  let clientUrl: string;

  beforeAll(async () => {
    const [port, clientPort] = [await freePort(), await freePort()];
    const base = `http://127.0.0.1:${port}`;
    provider = await OidcProvider.start([`${base}${CALLBACK}/company`, `${base}${CALLBACK}/other`]);
    const { issuer } = provider;
    const common = { issuer, client_id: 'annals', client_secret: 'a secret of the server' };
    const providers = [
      { id: 'company', name: 'Our company', ...common },
      { id: 'other', name: 'Somewhere else', ...common, claims: { subject: 'other-{sub}' } },
    ];
    writeFileSync(join(folder, 'providers.yaml'), JSON.stringify({ providers }));
    clientUrl = `http://localhost:${clientPort}`;
    client = createServer((_, response) => response.end('<title>The client</title>')).listen(clientPort, 'localhost');
    server = new Homeserver({
      env: { ANNALS_SSO_PROVIDERS: join(folder, 'providers.yaml'), ANNALS_SSO_CLIENTS: `${clientUrl}/trusted/` },
    });
    await server.start(port);
    browser = await RealBrowser.start();
  });
  afterAll(async () => {
    await browser.close();
    await server.remove();
    await provider.end();
    client.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const redirectTo = (path: string): string =>
    `${server.base}/_matrix/client/v3/login/sso/redirect?redirectUrl=${encodeURIComponent(clientUrl + path)}`;
  const logIn = async (url: string) => {
    const token = new URL(url).searchParams.get('loginToken');
    return (await server.request('POST', '/_matrix/client/v3/login', { body: { type: 'm.login.token', token } })).body;
  };

  it('lead from the choice of a provider over a name to a client that is asked about', async () => {
    await registerAt(server, 'alice');
    await provider.as({ sub: 'alice', preferred_username: 'alice', name: 'Alice' });
    const page = await (await browser.newPerson()).newPage();
    await page.goto(redirectTo('/app'));
    await picture(page, 'sso-choose-provider');
    await page.getByRole('link', { name: 'Our company' }).click();
    // Her name is taken here.
    const name = page.getByLabel('User name');
    expect(await name.inputValue()).toBe('alice');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('alert').waitFor();
    await picture(page, 'sso-user-name');
    await page.getByLabel('User name').fill('alice.elsewhere');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('Log this application in?').waitFor();
    expect(await page.textContent('body')).toContain(new URL(clientUrl).host);
    await picture(page, 'sso-confirm-client');
    await page.getByRole('link', { name: 'Continue' }).click();
    await page.waitForURL(`${clientUrl}/app?loginToken=*`);
    expect(await logIn(page.url())).toMatchObject({ user_id: '@alice.elsewhere:e2e.example' });
    // Once it knows her, and the operator the client, nothing is asked.
    await page.goto(redirectTo('/trusted/'));
    await page.getByRole('link', { name: 'Our company' }).click();
    await page.waitForURL(`${clientUrl}/trusted/?loginToken=*`);
    expect(await logIn(page.url())).toMatchObject({ user_id: '@alice.elsewhere:e2e.example' });
  });

  it('lead behind a form to a client that is trusted, which a form alone could not', async () => {
    await provider.as({ sub: 'bob' });
    const page = await (await browser.newPerson()).newPage();
    await page.goto(redirectTo('/trusted/'));
    await page.getByRole('link', { name: 'Our company' }).click();
    await page.getByLabel('User name').fill('bob');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(`${clientUrl}/trusted/?loginToken=*`);
    expect(await logIn(page.url())).toMatchObject({ user_id: '@bob:e2e.example' });
  });

  it('confirm what somebody does, and tell the client so', async () => {
    await provider.as({ sub: 'alice' });
    const person = await browser.newPerson();
    const page = await person.newPage();
    await page.goto(redirectTo('/trusted/'));
    await page.getByRole('link', { name: 'Our company' }).click();
    await page.waitForURL(`${clientUrl}/trusted/?loginToken=*`);
    const { access_token: token, device_id: device } = await logIn(page.url());
    const path = `/_matrix/client/v3/devices/${device}`;
    const asked = await server.request('DELETE', path, { token, body: {} });
    const { session } = asked.body;
    const fallback = `${server.base}/_matrix/client/v3/auth/m.login.sso/fallback/web?session=${session}`;
    // A client opens it, and is told by it.
    const [opened] = await Promise.all([
      person.waitForEvent('page'),
      page.evaluate(
        `addEventListener('message', ({ data }) => (document.title = 'told: ' + data)); open(${JSON.stringify(fallback)}); 0`,
      ),
    ]);
    await opened.getByText('remove a device from your account').waitFor();
    expect(await opened.getByRole('link').allTextContents()).toEqual(['Confirm with Our company']);
    await picture(opened, 'sso-confirm-operation');
    await opened.getByRole('link', { name: 'Confirm with Our company' }).click();
    await opened.getByText('Is this what you want?').waitFor();
    expect(await opened.textContent('body')).toContain(
      'remove a device from your account @alice.elsewhere:e2e.example',
    );
    await picture(opened, 'sso-approve-operation');
    await opened.getByRole('button', { name: 'Confirm' }).click();
    await opened.getByText('You can go back to your application now.').waitFor();
    await page.waitForFunction(`document.title === 'told: authDone'`);
    expect((await server.request('DELETE', path, { token, body: { auth: { session } } })).status).toBe(200);
  });
});
