import { createClient, type MatrixClient } from 'matrix-js-sdk';
import { OAuth2 } from 'matrix-js-sdk/lib/oauth/index.js';
import { TokenRefresher } from 'matrix-js-sdk/lib/oauth/tokenRefresher.js';
import { MSC4108SignInWithQR } from 'matrix-js-sdk/lib/rendezvous/MSC4108SignInWithQR.js';
import { MSC4108SecureChannel } from 'matrix-js-sdk/lib/rendezvous/channels/MSC4108SecureChannel.js';
import { MSC4108RendezvousSession } from 'matrix-js-sdk/lib/rendezvous/transports/MSC4108RendezvousSession.js';
import { QrCodeData } from '@matrix-org/matrix-sdk-crypto-wasm';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HAS_BROWSER, NEEDS_BROWSER, RealBrowser } from './support/browser.js';
import { Homeserver } from './support/homeserver.js';
import { NODE_22 } from './support/node-22.js';
import { NEEDS, QUIET, SdkDevice } from './support/sdk-device.js';

const REDIRECT = 'https://app.client.example/callback';
const METADATA = {
  client_name: 'An application in JavaScript',
  client_uri: 'https://client.example/',
  redirect_uris: [REDIRECT] as [string],
};
/** As `SdkDevice` has them. */
const passwordOf = (username: string): string => `secret of ${username}`;

describe.runIf(NODE_22 && HAS_BROWSER)(`OAuth by ${NEEDS}; ${NEEDS_BROWSER}`, { timeout: 180_000 }, () => {
  let server: Homeserver;
  let browser: RealBrowser;
  let person: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    browser = await RealBrowser.start();
    server = await Homeserver.start();
    server.set({ ANNALS_OAUTH: 'on', ANNALS_PUBLIC_URL: server.base });
    await server.restart();
    person = await browser.newPerson();
    // The application's own page is not there.
    await person.route(`${REDIRECT}**`, (route) => route.fulfill({ body: 'Back in the application' }));
    page = await person.newPage();
  });
  afterAll(async () => {
    await browser.close();
    await server.remove();
  });

  async function signIn(username: string): Promise<void> {
    await page.getByLabel('User name').fill(username);
    await page.getByLabel('Password').fill(passwordOf(username));
    await page.getByRole('button', { name: 'Sign in' }).click();
  }

  test('logs in, refreshes its tokens, has its keys reset at the account page, and logs out', async () => {
    await server.register('alice', passwordOf('alice'));
    const anonymous = createClient({ baseUrl: server.base, logger: QUIET });
    const metadata = await anonymous.getAuthMetadata();
    const clientId = await OAuth2.registerClient(metadata, METADATA, QUIET);
    const auth = new OAuth2(metadata, { clientId }, QUIET);
    await page.goto(await auth.generateAuthorizationCodeGrantUrl('a state', REDIRECT));
    await signIn('alice');
    await page.getByRole('button', { name: 'Let it in' }).click();
    await page.waitForURL(`${REDIRECT}#*`);
    const answered = new URLSearchParams(new URL(page.url()).hash.slice(1));
    expect(answered.get('state')).toBe('a state');
    const tokens = await auth.completeAuthorizationCodeGrant(answered.get('code')!, REDIRECT);

    let refreshed = 0;
    const refresher = new TokenRefresher(auth, () => void refreshed++);
    const client = createClient({
      baseUrl: server.base,
      logger: QUIET,
      userId: '@alice:e2e.example',
      deviceId: auth.context.deviceId,
      accessToken: tokens.access_token,
    });
    expect(await client.whoami()).toMatchObject({ device_id: auth.context.deviceId, user_id: '@alice:e2e.example' });
    const renewed = await refresher.refreshTokens(tokens.refresh_token!);
    client.http.opts.accessToken = renewed.accessToken;
    expect([refreshed, (await client.whoami()).device_id]).toEqual([1, auth.context.deviceId]);

    await client.initRustCrypto({ useIndexedDB: false });
    const crypto = client.getCrypto()!;
    await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: async (upload) => void (await upload(null)) });
    const first = await crypto.getCrossSigningKeyId();
    await crypto.bootstrapCrossSigning({
      setupNewCrossSigning: true,
      authUploadDeviceSigningKeys: async (upload) => {
        const refused = await upload(null).then(
          () => undefined,
          (error: { data: { session: string; params: Record<string, { url: string }> } }) => error.data,
        );
        await page.goto(refused!.params['m.oauth']!.url);
        await page.getByLabel('Your password').fill(passwordOf('alice'));
        await page.getByRole('button', { name: 'Allow it' }).click();
        await page.getByText('Go back to your application now').waitFor();
        await upload({ session: refused!.session });
      },
    });
    expect(await crypto.getCrossSigningKeyId()).not.toBe(first);
    client.stopClient();

    await refresher.revokeToken(renewed.refreshToken!, 'refresh_token');
    await expect(client.whoami()).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
    await page.goto(`${server.base}/_annals/account`);
    await page.getByRole('button', { name: 'Sign out of this browser' }).click();
  });

  test('signs a new device in by the QR code of one that is signed in, and hands it the keys', async () => {
    const [old] = await SdkDevice.signUp(server, 'bob', 'Old');
    await old.crypto.bootstrapCrossSigning({
      authUploadDeviceSigningKeys: async (upload) => void (await upload(null)),
    });
    const { unstable_features: features } = await old.client.getVersions();
    expect(features).toMatchObject({ 'org.matrix.msc4108': true });

    const path = '/_matrix/client/unstable/org.matrix.msc4108/rendezvous';
    const failed: unknown[] = [];
    const onFailure = (reason: unknown): void => void failed.push(reason);
    const shown = new MSC4108RendezvousSession({ onFailure, client: old.client, fallbackRzServer: server.base + path });
    await shown.send('');
    const there = new MSC4108SignInWithQR(
      new MSC4108SecureChannel(shown, undefined, onFailure),
      false,
      old.client,
      onFailure,
    );
    await there.generateCode();

    // The new device has a camera.
    const code = QrCodeData.fromBytes(there.code!);
    const scanned = new MSC4108RendezvousSession({ onFailure, url: code.rendezvousUrl! });
    const here = new MSC4108SignInWithQR(
      new MSC4108SecureChannel(scanned, code.publicKey, onFailure),
      true,
      undefined,
      onFailure,
    );
    await Promise.all([there.negotiateProtocols(), here.negotiateProtocols()]);
    const anonymous = createClient({ baseUrl: server.base, logger: QUIET });
    const metadata = await anonymous.getAuthMetadata();
    const clientId = await OAuth2.registerClient(metadata, METADATA, QUIET);
    const deviceId = 'NEWDEVICE0';
    const [{ verificationUri }] = await Promise.all([
      there.deviceAuthorizationGrant(),
      here.deviceAuthorizationGrant({ metadata, clientId, deviceId }),
    ]);

    const shared = there.shareSecrets();
    const loggedIn = here.completeLoginOnNewDevice({ clientId });
    await page.goto(verificationUri!);
    await signIn('bob');
    await page.getByRole('button', { name: 'Let it in' }).click();
    await page.getByText('The device is let in').waitFor();
    const { access_token: accessToken } = (await loggedIn)!;
    const client: MatrixClient = createClient({
      baseUrl: server.base,
      logger: QUIET,
      userId: old.userId,
      deviceId,
      accessToken,
    });
    expect(await client.whoami()).toMatchObject({ user_id: old.userId, device_id: deviceId });
    const [, { secrets }] = await Promise.all([shared, here.shareSecrets()]);
    await client.initRustCrypto({ useIndexedDB: false });
    const crypto = client.getCrypto()!;
    await crypto.importSecretsBundle!(secrets as Parameters<NonNullable<typeof crypto.importSecretsBundle>>[0]);
    expect(await crypto.getCrossSigningKeyId()).toBe(await old.crypto.getCrossSigningKeyId());
    expect(failed).toEqual([]);
    await here.close();
    client.stopClient();
    await old.close({ kept: false });
  });
});
