import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { TestAuthority } from '#testing/test-authority';
import { startTextGateway, type TextGateway } from '#testing/text-gateway';
import { HAS_BROWSER, NEEDS_BROWSER, picture, RealBrowser } from './support/browser.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { type Answer, Client, type RequestOptions } from './support/homeserver.js';

const V3 = '/_matrix/client/v3';
const V2 = '/_matrix/identity/v2';
const MSISDN = 'm.login.msisdn';
const CONTACTS = '/_matrix/client/unstable/dev.annals.contacts';

let mails: MailServer;
let texts: TextGateway;
let identity: FederatingAnnals;
let home: FederatingAnnals;

beforeAll(async () => {
  [mails, texts] = await Promise.all([startMailServer(), startTextGateway()]);
  const authority = new TestAuthority();
  const sending = {
    ANNALS_SMTP_URL: mails.url,
    ANNALS_TEXT_MESSAGES: texts.url,
    ANNALS_TEXT_MESSAGES_AUTHORIZATION: 'Bearer secret',
  };
  identity = await FederatingAnnals.begin(authority, { ANNALS_ROLES: 'identity', ...sending });
  home = await FederatingAnnals.begin(authority, {
    ...sending,
    ANNALS_REGISTRATION_PHONE: 'optional',
    ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost',
    ANNALS_IDENTITY_TRUSTED_SERVERS: identity.name,
  });
}, 240_000);
afterAll(async () => {
  await home.remove();
  await identity.remove();
  await texts.close();
  await mails.close();
});

async function ok(asked: Promise<Answer>): Promise<Answer['body']> {
  const { status, body } = await asked;
  expect([status, body]).toEqual([200, body]);
  return body;
}
const post = (path: string, body: object) => ok(home.request('POST', path, { body }));
const atIdentity = (method: string, path: string, options: RequestOptions) =>
  ok(identity.request(method, `${V2}/${path}`, options));

/** A token of the identity server for somebody of the homeserver. */
async function useIdentityServer(user: Client): Promise<string> {
  const body = await user.ok('POST', `/user/${encodeURIComponent(user.userId)}/openid/request_token`, {});
  return (await atIdentity('POST', 'account/register', { body })).token;
}

/** Has a number shown to be somebody's, to the identity server. */
async function showNumber(token: string, number: string, nth: number) {
  const asked = { client_secret: `of-${number}`, country: 'DE', phone_number: `+${number}`, send_attempt: 1 };
  const { sid } = await atIdentity('POST', 'validate/msisdn/requestToken', { token, body: asked });
  const session = { sid, client_secret: asked.client_secret };
  const code = await texts.codeFor(`+${number}`, nth);
  await atIdentity('POST', 'validate/msisdn/submitToken', { token, body: { ...session, token: code } });
  return session;
}

describe('an identity server by itself, a homeserver, and what brings messages to phones', { timeout: 120_000 }, () => {
  test('let somebody register and log in by phone, and be found by it, until they want no more', async () => {
    const wanted = { username: 'ada', password: 'password of ada' };
    const phone = { client_secret: 's', country: 'DE', phone_number: '0151 23456789', send_attempt: 1 };
    const begun = await post(`${V3}/register/msisdn/requestToken`, phone);
    const code = await texts.codeFor('+4915123456789');
    expect(texts.received[0]?.authorization).toBe('Bearer secret');
    const threepid_creds = { sid: begun.sid, client_secret: 's' };
    await home.restart('SIGKILL');
    await post(new URL(begun.submit_url).pathname, { ...threepid_creds, token: code });
    await home.restart('SIGKILL');
    const registered = await post(`${V3}/register`, { ...wanted, auth: { type: MSISDN, threepid_creds } });
    const identifier = { type: 'm.id.phone', country: 'DE', phone: '0151 23456789' };
    const login = { type: 'm.login.password', identifier, password: wanted.password };
    expect((await post(`${V3}/login`, login)).user_id).toBe(registered.user_id);

    const ada = await logInAs('ada');
    const token = await useIdentityServer(ada);
    const session = await showNumber(token, '4915123456789', 2);
    await identity.restart('SIGKILL');
    const at = { id_server: identity.name, id_access_token: token };
    await ada.ok('POST', '/account/3pid/bind', { ...session, ...at });
    await identity.restart('SIGKILL');

    const bob = await home.register('bob');
    await bob.ok('POST', CONTACTS, { contacts: [{ threepids: [{ medium: 'msisdn', address: '4915123456789' }] }] });
    const lookUp = async (): Promise<unknown[]> =>
      (await bob.ok('POST', `${CONTACTS}/lookup`, { id_server: identity.name })).matches;
    expect(await lookUp()).toMatchObject([{ user_id: ada.userId, by: identity.name }]);
    const findable = '/_matrix/identity/unstable/dev.annals.findable';
    await ok(identity.request('PUT', findable, { token, body: { readers: [] } }));
    expect(await lookUp()).toEqual([]);
    await ok(identity.request('PUT', findable, { token, body: { readers: [bob.userId] } }));
    expect(await lookUp()).toHaveLength(1);
    const of = { medium: 'msisdn', address: '4915123456789' };
    expect(await ada.ok('POST', '/account/3pid/delete', of)).toEqual({ id_server_unbind_result: 'success' });
    expect(await lookUp()).toEqual([]);
  });

  test('let somebody add to their account what they showed to the identity server', async () => {
    const eve = await home.register('eve');
    const token = await useIdentityServer(eve);
    const session = await showNumber(token, '4915199999999', 1);
    const auth = { type: 'm.login.password', user: 'eve', password: 'the password of eve' };
    const at = { id_server: identity.name, id_access_token: token };
    await eve.ok('POST', '/account/3pid/add', { ...session, ...at, auth });
    const { threepids } = await eve.ok('GET', '/account/3pid');
    expect(threepids).toMatchObject([{ medium: 'msisdn', address: '4915199999999' }]);
  });

  test('are an identity server that serves nothing else', async () => {
    expect((await identity.request('GET', '/_matrix/client/versions')).status).toBe(404);
    expect((await identity.request('GET', '/health')).status).toBe(200);
  });
});

describe.runIf(HAS_BROWSER)(
  `the page behind a link of an identity server (${NEEDS_BROWSER})`,
  { timeout: 120_000 },
  () => {
    test('says whose address is asked about, and is confirmed by its button', async () => {
      const zoe = await home.register('zoe');
      const token = await useIdentityServer(zoe);
      const asked = { client_secret: 'zoe', email: 'zoe@mail.example', send_attempt: 1 };
      const { sid } = await atIdentity('POST', 'validate/email/requestToken', { token, body: asked });
      const { text } = await mails.waitFor('zoe@mail.example');
      const browser = await RealBrowser.start();
      const page = await (await browser.newPerson()).newPage();
      await page.goto(/https?:\/\/\S+submitToken\S+/.exec(text)![0]);
      for (const part of ['zoe@mail.example', zoe.userId, identity.name]) await page.getByText(part).first().waitFor();
      await picture(page, 'identity-validation');
      await page.getByRole('button', { name: 'Yes' }).click();
      await page.getByText('You can go back to your application now').waitFor();
      await browser.close();
      const query = new URLSearchParams({ sid, client_secret: 'zoe' }).toString();
      const shown = await atIdentity('GET', `3pid/getValidated3pid?${query}`, { token });
      expect(shown).toMatchObject({ medium: 'email', address: 'zoe@mail.example' });
    });

    test('says who invites an address to which room, and leads to it in an application', async () => {
      const kim = await home.register('kim');
      await kim.ok('PUT', `/profile/${kim.userId}/displayname`, { displayname: 'Kim' });
      const roomId = await kim.createRoom({ preset: 'private_chat', name: 'The Tea House' });
      const at = { id_server: identity.name, id_access_token: await useIdentityServer(kim) };
      const asked = { medium: 'email', address: 'lea@mail.example', ...at };
      await kim.ok('POST', `/rooms/${encodeURIComponent(roomId)}/invite`, asked);
      const mail = await mails.waitFor('lea@mail.example');
      const browser = await RealBrowser.start();
      const person = await browser.newPerson();
      const page = await person.newPage();
      await page.setContent(mail.html);
      await page.getByText('The Tea House').first().waitFor();
      await picture(page, 'mail-invitation');
      await page.goto(/https?:\/\/\S+invitation\?\S+/.exec(mail.text)![0]);
      for (const part of [kim.userId, roomId, identity.name]) await page.getByText(part).first().waitFor();
      await picture(page, 'identity-invitation');
      const link = await page.getByRole('link', { name: 'Open it in an application' }).getAttribute('href');
      const [place, query] = link!.split('?', 2);
      expect(decodeURIComponent(place!)).toBe(`matrix:roomid/${roomId.slice(1)}`);
      expect(Object.fromEntries(new URLSearchParams(query))).toMatchObject({ action: 'join', via: home.name });
      // Nobody reads of it by trying.
      await page.goto(page.url().replace(/token=[^&]+/, 'token=another'));
      await page.getByRole('heading', { name: 'This invitation holds no more' }).waitFor();
      await browser.close();
    });
  },
);

async function logInAs(user: string): Promise<Client> {
  const body = { type: 'm.login.password', user, password: `password of ${user}` };
  const { user_id, access_token, device_id } = await post(`${V3}/login`, body);
  return new Client(home, user_id, access_token, device_id);
}
