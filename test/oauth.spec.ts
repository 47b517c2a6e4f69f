import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as oauth from 'openid-client';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '#testing/free-port';
import { OidcProvider } from './support/oidc-provider.js';
import { HAS_BROWSER, NEEDS_BROWSER, picture, RealBrowser } from './support/browser.js';
import { Client, Homeserver, passwordOf } from './support/homeserver.js';

const METADATA = {
  client_name: 'Library',
  client_uri: 'https://library.example',
  tos_uri: 'https://library.example/terms',
  policy_uri: 'https://library.example/privacy',
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
};
const scopeOf = (device: string): string => `urn:matrix:client:api:* urn:matrix:client:device:${device}`;

describe.runIf(HAS_BROWSER)(`an application that asks by OAuth (${NEEDS_BROWSER})`, { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'annals-oauth-'));
  let server: Homeserver;
  let provider: OidcProvider;
  let browser: RealBrowser;
  let person: BrowserContext;
  let page: Page;
  let application: Server;
  let config: oauth.Configuration;
  /** Where the application is answered. */
  let callback: string;

  beforeAll(async () => {
    [server, browser] = await Promise.all([startServer(), RealBrowser.start()]);
    application = createServer((_, response) => response.end('Back in the application'));
    application.listen(0, '127.0.0.1');
    await once(application, 'listening');
    callback = `http://127.0.0.1:${(application.address() as AddressInfo).port}/callback`;
    config = await oauth.dynamicClientRegistration(new URL(`${server.base}/`), METADATA, oauth.None(), {
      algorithm: 'oauth2',
      execute: [oauth.allowInsecureRequests],
    });
  });
  afterAll(async () => {
    application.close();
    await browser.close();
    await server.remove();
    await provider.end();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    person = await browser.newPerson();
    page = await person.newPage();
  });
  afterEach(() => person.close());

  /** The server says by which address it is reached, and so does the provider of accounts elsewhere: the address comes first. */
  async function startServer(): Promise<Homeserver> {
    const port = await freePort();
    const base = `http://127.0.0.1:${port}`;
    provider = await OidcProvider.start([`${base}/_matrix/client/unstable/dev.annals.sso/callback/main`]);
    const confidential = { client_id: 'annals', client_secret: 'a secret of the server' };
    const main = { id: 'main', name: 'The other house', issuer: provider.issuer, ...confidential };
    writeFileSync(join(folder, 'providers.yaml'), JSON.stringify({ providers: [main] }));
    const file = { ANNALS_SSO_PROVIDERS: join(folder, 'providers.yaml') };
    const started = new Homeserver({ env: { ANNALS_OAUTH: 'on', ANNALS_PUBLIC_URL: base, ...file } });
    await started.start(port);
    return started;
  }

  const begin = async (
    device: string,
    more: Record<string, string> = {},
  ): Promise<{ url: string; verifier: string }> => {
    const verifier = oauth.randomPKCECodeVerifier();
    const url = oauth.buildAuthorizationUrl(config, {
      redirect_uri: callback,
      scope: scopeOf(device),
      state: 'a state',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...more,
    });
    return { url: url.href, verifier };
  };
  const finish = async (verifier: string): Promise<oauth.TokenEndpointResponse> => {
    await page.waitForURL(`${callback}?*`);
    const checks = { pkceCodeVerifier: verifier, expectedState: 'a state' };
    return oauth.authorizationCodeGrant(config, new URL(page.url()), checks);
  };
  const signIn = async (username: string): Promise<void> => {
    await page.getByLabel('User name').fill(username);
    await page.getByLabel('Password').fill(passwordOf(username));
    await page.getByRole('button', { name: 'Sign in' }).click();
  };
  const clientWith = ({ access_token: token }: oauth.TokenEndpointResponse, userId: string, device: string): Client =>
    new Client(server, userId, token, device);

  test('is let in by who signs in, beside log-ins by password, and goes on through restarts and new views', async () => {
    const legacy = await server.register('anna');
    const { url, verifier } = await begin('LAPTOP');
    await page.goto(url);
    await page.getByLabel('User name').fill('anna');
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await picture(page, 'oauth-sign-in');
    await signIn('anna');
    await page.getByText('Let this application in?').waitFor();
    await picture(page, 'oauth-consent');
    await page.getByRole('button', { name: 'Let it in' }).click();
    const tokens = await finish(verifier);
    expect(tokens).toMatchObject({ token_type: 'bearer', scope: scopeOf('LAPTOP'), expires_in: 3600 });
    const client = clientWith(tokens, legacy.userId, 'LAPTOP');
    const whoami = { user_id: legacy.userId, device_id: 'LAPTOP', is_guest: false };
    expect(await client.ok('GET', '/account/whoami')).toEqual(whoami);
    // A code once, by this library too.
    await expect(finish(verifier)).rejects.toThrow();
    expect((await client.request('GET', '/account/whoami')).status).toBe(401);

    const again = await begin('LAPTOP');
    await page.goto(again.url);
    await page.getByRole('button', { name: 'Let it in' }).click();
    const second = await finish(again.verifier);
    const devices = (): Promise<{ devices: { device_id: string }[] }> => legacy.ok('GET', '/devices');
    const before = await devices();
    expect(before.devices.map(({ device_id: id }) => id).toSorted()).toEqual([legacy.deviceId, 'LAPTOP'].toSorted());
    await server.end();
    server.removeViews();
    await server.restart();
    expect((await devices()).devices.map(({ device_id: id }) => id)).toEqual(
      before.devices.map(({ device_id: id }) => id),
    );
    await page.goto(`${server.base}/_annals/account?action=org.matrix.devices_list`);
    await page.getByText('Library').waitFor();
    await picture(page, 'oauth-devices');
    const third = await oauth.refreshTokenGrant(config, second.refresh_token!);
    expect(await clientWith(third, legacy.userId, 'LAPTOP').ok('GET', '/account/whoami')).toEqual(whoami);
    await oauth.tokenRevocation(config, third.refresh_token!);
    expect((await clientWith(third, legacy.userId, 'LAPTOP').request('GET', '/account/whoami')).status).toBe(401);
    expect((await devices()).devices).toHaveLength(1);
  });

  test('is told no by who does not want it', async () => {
    await server.register('bert');
    const { url, verifier } = await begin('LAPTOP');
    await page.goto(url);
    await signIn('bert');
    await page.getByRole('button', { name: 'No' }).click();
    await expect(finish(verifier)).rejects.toMatchObject({ error: 'access_denied' });
  });

  test('has somebody make an account on the way', async () => {
    const { url, verifier } = await begin('PHONE', { prompt: 'create' });
    await page.goto(url);
    await page.getByLabel('User name').fill('carla');
    await page.getByLabel('Password', { exact: true }).fill('a good password');
    await page.getByLabel('Password, once more').fill('a good password');
    await picture(page, 'oauth-sign-up');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('button', { name: 'Let it in' }).click();
    const client = clientWith(await finish(verifier), '@carla:e2e.example', 'PHONE');
    expect((await client.ok('GET', '/account/whoami')).user_id).toBe('@carla:e2e.example');
    const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'carla' } };
    const byPassword = { ...login, password: 'a good password' };
    expect((await server.request('POST', '/_matrix/client/v3/login', { body: byPassword })).status).toBe(200);
  });

  test('is let in on a device without a browser, by the code that it shows', async () => {
    const { userId } = await server.register('dora');
    const waiting = await oauth.initiateDeviceAuthorization(config, { scope: scopeOf('TELEVISION') });
    const polled = oauth.pollDeviceAuthorizationGrant(config, waiting);
    await page.goto(waiting.verification_uri);
    await signIn('dora');
    await page.getByLabel('The code that the device shows').fill(waiting.user_code.toLowerCase());
    await picture(page, 'oauth-link');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('Let this device in?').waitFor();
    await picture(page, 'oauth-device');
    await page.getByRole('button', { name: 'Let it in' }).click();
    await page.getByText('The device is let in').waitFor();
    const client = clientWith(await polled, userId, 'TELEVISION');
    expect((await client.ok('GET', '/account/whoami')).device_id).toBe('TELEVISION');
  });

  test('leaves the account to its page, on which a device is signed out and the password changed', async () => {
    const emil = await server.register('emil');
    await page.goto(`${server.base}/_annals/account?action=org.matrix.device_delete&device_id=${emil.deviceId}`);
    await signIn('emil');
    await page.getByRole('button', { name: 'Sign it out' }).click();
    await page.getByText('The device is signed out.').waitFor();
    expect((await emil.request('GET', '/account/whoami')).status).toBe(401);
    await page.getByRole('link', { name: 'Account' }).click();
    await page.getByLabel('Display name').fill('Emil E.');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    await picture(page, 'oauth-account');
    const anna = await server.register('frieda');
    expect((await anna.ok('GET', `/profile/${emil.userId}`)).displayname).toBe('Emil E.');
    await page.getByLabel('Your password').fill(passwordOf('emil'));
    await page.getByLabel('New password', { exact: true }).fill('another password');
    await page.getByLabel('New password, once more').fill('another password');
    await page.getByRole('button', { name: 'Change password' }).click();
    await page.getByText('Your password is changed.').waitFor();
    await page.getByRole('button', { name: 'Sign out of this browser' }).click();
    await page.getByLabel('User name').waitFor();
  });

  test('shows what devices are called as it is, on a narrow screen too', async () => {
    const hugo = await server.register('hugo');
    const name = `<b>Tom & Jerry’s</b> ${'x'.repeat(80)}`;
    await hugo.ok('PUT', `/devices/${hugo.deviceId}`, { display_name: name });
    await page.setViewportSize({ width: 320, height: 640 });
    const to = (action: string): string => `${server.base}/_annals/account?action=org.matrix.${action}`;
    await page.goto(to('devices_list'));
    await signIn('hugo');
    for (const path of [
      'devices_list',
      `device_view&device_id=${hugo.deviceId}`,
      `device_delete&device_id=${hugo.deviceId}`,
    ]) {
      await page.goto(to(path));
      await page.getByText(name).first().waitFor();
      expect([path, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([path, 320]);
    }
    await page.goto(to(`device_view&device_id=${hugo.deviceId}`));
    expect([await page.title(), await page.getByRole('main').getByRole('heading').first().textContent()]).toEqual([
      name,
      name,
    ]);
  });

  test('is let in by who has an account elsewhere, who needs no password here', async () => {
    await provider.as({ sub: 'gerda', preferred_username: 'gerda', name: 'Gerda' });
    const { url, verifier } = await begin('LAPTOP');
    await page.goto(url);
    await page.getByRole('link', { name: 'Go on with The other house' }).click();
    await page.getByRole('button', { name: 'Let it in' }).click();
    const client = clientWith(await finish(verifier), '@gerda:e2e.example', 'LAPTOP');
    expect((await client.ok('GET', '/account/whoami')).user_id).toBe('@gerda:e2e.example');
    await page.goto(`${server.base}/_annals/account?action=org.matrix.cross_signing_reset`);
    // That she has just signed in is not enough.
    await page.getByRole('link', { name: 'Confirm with The other house' }).click();
    await page.getByText('You have confirmed that it is you').waitFor();
    await page.getByRole('button', { name: 'Allow it for ten minutes' }).click();
    await page.getByText('Go back to your application now').waitFor();
    expect(await page.getByLabel('New password').count()).toBe(0);
  });

  test('cannot have its page shown within another', async () => {
    const { url } = await begin('LAPTOP');
    const outer = createServer((_, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(`<iframe src="${url.replaceAll('&', '&amp;')}"></iframe>`);
    }).listen(0, '127.0.0.1');
    await once(outer, 'listening');
    await page.goto(`http://127.0.0.1:${(outer.address() as AddressInfo).port}/`);
    await expect.poll(() => page.frames().at(-1)?.url()).toMatch(/^chrome-error:/);
    outer.close();
  });
});
