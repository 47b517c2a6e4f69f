import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashAddress } from '#identity/client/hash-address';
import { FakePeer } from '#testing/fake-peer';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { startTextGateway, type TextGateway } from '#testing/text-gateway';
import { FederatedServer } from '../test/federated-server.js';
import { type IdentityBody, IdentityCalls, type IdentityPerson } from '../test/identity-calls.js';

const V2 = '/_matrix/identity/v2';
const V1 = '/_matrix/identity/api/v1';
const KEYS = '/_matrix/identity/unstable/dev.annals.keys';
const FINDABLE = '/_matrix/identity/unstable/dev.annals.findable';
interface Session {
  readonly sid: string;
  readonly client_secret: string;
}

let mails: MailServer;
let texts: TextGateway;
let peer: FakePeer;
let server: FederatedServer;
let identity: IdentityCalls;

beforeAll(async () => {
  mails = await startMailServer();
  texts = await startTextGateway();
  peer = await FakePeer.start();
  server = await FederatedServer.start({
    ANNALS_ROLES: 'identity',
    ANNALS_SMTP_URL: mails.url,
    ANNALS_TEXT_MESSAGES: texts.url,
    ANNALS_TEXT_MESSAGES_COUNTRIES: 'GB, DE',
  });
  identity = new IdentityCalls(server, peer);
});
afterAll(async () => {
  await server.stop();
  await peer.stop();
  await mails.close();
  await texts.close();
});

const call: IdentityCalls['call'] = (...asked) => identity.call(...asked);
const ok: IdentityCalls['ok'] = (...asked) => identity.ok(...asked);
const useIt: IdentityCalls['useIt'] = (...asked) => identity.useIt(...asked);

let last = 0;
/** A number that nobody has shown yet, as it is dialled in Germany, and its digits. */
function aNumber(): { readonly dialled: string; readonly digits: string } {
  const rest = String(12_345_000 + last++);
  return { dialled: `0151 ${rest}`, digits: `49151${rest}` };
}

async function beginByText(token: string, dialled: string, more: object = {}): Promise<Session> {
  const body = { client_secret: `secret-${last}`, country: 'DE', phone_number: dialled, send_attempt: 1, ...more };
  const { sid } = await ok('POST', 'validate/msisdn/requestToken', { token, body });
  return { sid: String(sid), client_secret: body.client_secret };
}

/** Makes a new number somebody's. */
async function bindNumber(who: IdentityPerson): Promise<string> {
  const { dialled, digits } = aNumber();
  const session = await beginByText(who.token, dialled);
  const submitted = { ...session, token: await texts.codeFor(`+${digits}`) };
  await ok('POST', 'validate/msisdn/submitToken', { token: who.token, body: submitted });
  await ok('POST', '3pid/bind', { token: who.token, body: { ...session, mxid: who.userId } });
  return digits;
}

async function hashedLookup(token: string, addresses: readonly string[], path = 'lookup'): Promise<IdentityBody> {
  const { lookup_pepper: pepper } = await ok('GET', 'hash_details', { token });
  const hashes = addresses.map((address) => hashAddress({ medium: 'msisdn', address }, String(pepper)));
  const { mappings } = await ok('POST', path, { token, body: { addresses: hashes, algorithm: 'sha256', pepper } });
  return Object.fromEntries(addresses.map((address, i) => [address, (mappings as IdentityBody)[hashes[i]!]]));
}
const lookUp = async (token: string, address: string): Promise<unknown> =>
  (await hashedLookup(token, [address]))[address];
const lookUpPlain = (address: string): Promise<IdentityBody> =>
  ok('GET', `${V1}/lookup?medium=msisdn&address=${address}`);

describe('an identity server that is no homeserver', () => {
  it('serves that alone, its keys and where it is', async () => {
    for (const path of [V2, V1, '/_matrix/identity/versions', '/_matrix/key/v2/server', '/health'])
      await ok('GET', path);
    const nothing = { status: 404, body: { errcode: 'M_UNRECOGNIZED' } };
    for (const path of [
      '/',
      '/_matrix/client/versions',
      '/_matrix/client/v3/login',
      '/_matrix/federation/v1/publicRooms',
    ]) {
      expect(await call('GET', path)).toMatchObject(nothing);
    }
    const body = { username: 'eve', password: 'x', auth: { type: 'm.login.dummy' } };
    expect(await call('POST', '/_matrix/client/v3/register', { body })).toMatchObject(nothing);
    expect(await call('GET', '/_matrix/nothing')).toMatchObject(nothing);
  });
});

describe('a phone number', () => {
  it('is shown to be somebody’s by a code, and made theirs', async () => {
    const alice = await useIt('alice');
    const { dialled, digits } = aNumber();
    const session = await beginByText(alice.token, dialled);
    const { text } = await texts.waitFor(`+${digits}`);
    expect(text).toContain(server.name);
    const submit = (token: string) =>
      call('POST', 'validate/msisdn/submitToken', { token: alice.token, body: { ...session, token } });
    expect(await submit('00000000')).toMatchObject({ status: 400, body: { errcode: 'M_TOKEN_INCORRECT' } });
    const bind = () => call('POST', '3pid/bind', { token: alice.token, body: { ...session, mxid: alice.userId } });
    expect(await bind()).toMatchObject({ status: 400, body: { errcode: 'M_SESSION_NOT_VALIDATED' } });
    expect(await submit(await texts.codeFor(`+${digits}`))).toEqual({ status: 200, body: { success: true } });
    const query = new URLSearchParams({ ...session }).toString();
    expect(await ok('GET', `3pid/getValidated3pid?${query}`, { token: alice.token })).toMatchObject({
      medium: 'msisdn',
      address: digits,
    });
    const { status, body } = await bind();
    expect([status, body]).toMatchObject([
      200,
      { medium: 'msisdn', address: digits, mxid: alice.userId, signatures: { [server.name]: {} } },
    ]);
    expect(await lookUp(alice.token, digits)).toBe(alice.userId);
    expect(await lookUpPlain(digits)).toEqual(body);
  });

  it('is asked about on a page that says whose and by which server, and confirmed by its button', async () => {
    const bob = await useIt('bob');
    const { dialled, digits } = aNumber();
    const session = await beginByText(bob.token, dialled, { next_link: 'https://app.example/done' });
    const query = new URLSearchParams({ ...session, token: await texts.codeFor(`+${digits}`) }).toString();
    const shown = String((await call('GET', `validate/msisdn/submitToken?${query}`)).body['text']);
    for (const part of [`+${digits}`, bob.userId, server.name]) expect(shown).toContain(part);
    const action = /action="([^"]+)"/.exec(shown)![1]!.replaceAll('&#38;', '&');
    const done = await call('POST', `validate/msisdn/${action}`);
    expect(String(done.body['text'])).toContain('Go on to app.example');
    await ok('GET', `3pid/getValidated3pid?${new URLSearchParams({ ...session }).toString()}`, { token: bob.token });
    expect(String((await call('GET', `validate/msisdn/submitToken?${query}x`)).body['text'])).toContain(
      'holds no more',
    );
  });

  it('is not shown by who tries one code after another, by whichever door', async () => {
    const { token } = await useIt('mallory');
    const { dialled, digits } = aNumber();
    const session = await beginByText(token, dialled);
    const code = await texts.codeFor(`+${digits}`);
    const page = async (tried: string): Promise<string> => {
      const query = new URLSearchParams({ ...session, token: tried }).toString();
      return String((await call('GET', `validate/msisdn/submitToken?${query}`)).body['text']);
    };
    expect(await page(code)).toContain(digits);
    for (let n = 0; n < 10; n++) expect(await page(String(n).padStart(8, '0'))).toContain('holds no more');
    expect(await page(code)).toContain('holds no more');
    const submitted = await call('POST', 'validate/msisdn/submitToken', { token, body: { ...session, token: code } });
    expect(submitted.body['errcode']).toBe('M_TOKEN_INCORRECT');
  });

  it.each<[string, object, string]>([
    ['is no number', { phone_number: 'hello' }, 'M_INVALID_ADDRESS'],
    ['is of a country that there is not', { country: 'ZZ' }, 'M_INVALID_PARAM'],
    [
      'is of a country to which nothing is sent',
      { country: 'AT', phone_number: '0664 1234567' },
      'M_DESTINATION_REJECTED',
    ],
  ])('is refused where it %s', async (_, more, errcode) => {
    const { token } = await useIt('carol');
    const body = { client_secret: 's', country: 'DE', phone_number: '0151 99999999', send_attempt: 1, ...more };
    expect(await call('POST', 'validate/msisdn/requestToken', { token, body })).toMatchObject({
      status: 400,
      body: { errcode },
    });
  });

  it('is asked for as a form, too', async () => {
    const { token } = await useIt('form');
    const { dialled, digits } = aNumber();
    const form = { client_secret: 'form', country: 'DE', phone_number: dialled, send_attempt: '1' };
    const { sid } = await ok('POST', 'validate/msisdn/requestToken', { token, form });
    const code = await texts.codeFor(`+${digits}`);
    await ok('POST', 'validate/msisdn/submitToken', {
      token,
      form: { sid: String(sid), client_secret: 'form', token: code },
    });
  });
});

describe('API v1', () => {
  it('has mail addresses and phone numbers shown and made people’s, without anybody saying who they are', async () => {
    const mxid = `@old:${peer.name}`;
    const email = { client_secret: 'v1', email: 'old@mail.example', send_attempt: '1' };
    const { sid } = await ok('POST', `${V1}/validate/email/requestToken`, { form: email });
    const mail = await mails.waitFor('old@mail.example');
    expect(mail.text).toContain(server.name);
    const token = new URL(/https?:\S+submitToken\S+/.exec(mail.text)![0]).searchParams.get('token')!;
    const session = { sid: String(sid), client_secret: 'v1' };
    const bind = (body: object) => call('POST', `${V1}/3pid/bind`, { body });
    expect((await bind({ ...session, mxid })).body['errcode']).toBe('M_SESSION_NOT_VALIDATED');
    await ok('POST', `${V1}/validate/email/submitToken`, { form: { ...session, token } });
    const validated = `${V1}/3pid/getValidated3pid?${new URLSearchParams(session).toString()}`;
    expect(await ok('GET', validated)).toMatchObject({ medium: 'email', address: 'old@mail.example' });
    expect((await bind({ ...session, mxid: 'nobody' })).body['errcode']).toBe('M_INVALID_PARAM');
    expect((await bind({ ...session, mxid })).status).toBe(200);
    expect(await ok('GET', `${V1}/lookup?medium=email&address=old@mail.example`)).toMatchObject({ mxid });
    const { dialled, digits } = aNumber();
    const phone = { client_secret: 'v1', country: 'DE', phone_number: dialled, send_attempt: 1 };
    const { sid: byText } = await ok('POST', `${V1}/validate/msisdn/requestToken`, { body: phone });
    const text = { sid: String(byText), client_secret: 'v1' };
    await ok('POST', `${V1}/validate/msisdn/submitToken`, {
      body: { ...text, token: await texts.codeFor(`+${digits}`) },
    });
    await ok('POST', `${V1}/3pid/bind`, { body: { ...text, mxid } });
    const threepids = [
      ['msisdn', digits],
      ['email', 'OLD@mail.example'],
      ['email', 'nobody@mail.example'],
    ];
    expect(await ok('POST', `${V1}/bulk_lookup`, { body: { threepids } })).toEqual({
      threepids: [
        ['msisdn', digits, mxid],
        ['email', 'OLD@mail.example', mxid],
      ],
    });
    const threepid = { medium: 'msisdn', address: digits };
    await ok('POST', `${V1}/3pid/unbind`, { body: { ...text, mxid, threepid } });
    expect(await lookUpPlain(digits)).toEqual({});
  });

  it('is off where the operator wants none of it, or no look-ups in plain text', async () => {
    const nothing = { status: 404, body: { errcode: 'M_UNRECOGNIZED' } };
    const hidden = await FederatedServer.start({ ANNALS_ROLES: 'identity', ANNALS_IDENTITY_PLAIN_LOOKUP: 'off' });
    const lookup = `${V1}/lookup?medium=email&address=a@b.example`;
    const session = `${V1}/3pid/getValidated3pid?sid=x&client_secret=y`;
    expect(await call('GET', lookup, { on: hidden })).toMatchObject(nothing);
    expect(await call('POST', `${V1}/bulk_lookup`, { body: { threepids: [] }, on: hidden })).toMatchObject(nothing);
    expect((await call('GET', session, { on: hidden })).body['errcode']).toBe('M_NO_VALID_SESSION');
    await hidden.stop();
    const today = await FederatedServer.start({ ANNALS_ROLES: 'identity', ANNALS_IDENTITY_V1: 'off' });
    for (const path of [lookup, session, V1, `${V1}/pubkey/isvalid?public_key=x`, `${V1}/validate/email/submitToken`]) {
      expect(await call('GET', path, { on: today })).toMatchObject(nothing);
    }
    for (const path of ['validate/email/requestToken', 'validate/msisdn/submitToken', '3pid/bind', '3pid/unbind']) {
      expect(await call('POST', `${V1}/${path}`, { body: {}, on: today })).toMatchObject(nothing);
    }
    await ok('GET', V2, { on: today });
    await today.stop();
  });
});

describe('who is found', () => {
  it('is whoever lets everybody find them, or who asks; of others nobody is told that they are there', async () => {
    const [dora, friend, other] = [await useIt('dora'), await useIt('friend'), await useIt('other')];
    const digits = await bindNumber(dora);
    expect(await ok('GET', FINDABLE, { token: dora.token })).toEqual({ readers: ['everybody'] });
    const let_ = (readers: unknown) => call('PUT', FINDABLE, { token: dora.token, body: { readers } });
    expect((await let_([friend.userId])).status).toBe(200);
    expect(await lookUp(friend.token, digits)).toBe(dora.userId);
    expect(await lookUp(dora.token, digits)).toBe(dora.userId);
    expect(await lookUp(other.token, digits)).toBeUndefined();
    expect(await lookUpPlain(digits)).toEqual({});
    const threepids = [['msisdn', digits]];
    expect(await ok('POST', `${V1}/bulk_lookup`, { body: { threepids } })).toEqual({ threepids: [] });
    for (const nobody of [[], ['contacts']]) {
      expect((await let_(nobody)).status).toBe(200);
      expect(await lookUp(friend.token, digits)).toBeUndefined();
    }
    expect((await let_(['everybody', friend.userId])).status).toBe(200);
    expect(await ok('GET', FINDABLE, { token: dora.token })).toEqual({ readers: ['everybody'] });
    expect(await lookUpPlain(digits)).toMatchObject({ mxid: dora.userId });
    for (const wrong of ['everybody', ['somebody'], [5], undefined]) expect((await let_(wrong)).status).toBe(400);
  });

  it('may be left to the people of their address book, where the homeserver that has it is the identity server', async () => {
    const on = await FederatedServer.start({ ANNALS_ROLES: 'all,identity', ANNALS_TEXT_MESSAGES: texts.url });
    const withToken = async (name: string) => {
      const user = await on.register(name);
      const grant = await user.ok('POST', `/user/${encodeURIComponent(user.userId)}/openid/request_token`, {});
      return { user, token: String((await ok('POST', 'account/register', { body: grant, on }))['token']) };
    };
    const [ivy, judy, kim] = [await withToken('ivy'), await withToken('judy'), await withToken('kim')];
    const { dialled, digits } = aNumber();
    const asked = { client_secret: 'ivy', country: 'DE', phone_number: dialled, send_attempt: 1 };
    const { sid } = await ok('POST', 'validate/msisdn/requestToken', { token: ivy.token, body: asked, on });
    const session = { sid, client_secret: 'ivy' };
    const code = await texts.codeFor(`+${digits}`);
    await ok('POST', 'validate/msisdn/submitToken', { token: ivy.token, body: { ...session, token: code }, on });
    await ok('POST', '3pid/bind', { token: ivy.token, body: { ...session, mxid: ivy.user.userId }, on });
    await ok('PUT', FINDABLE, { token: ivy.token, body: { readers: ['contacts'] }, on });
    const contacts = '/_matrix/client/unstable/dev.annals.contacts';
    await ivy.user.ok('POST', contacts, { contacts: [{ user_ids: [judy.user.userId] }] });
    const { lookup_pepper: pepper } = await ok('GET', 'hash_details', { token: judy.token, on });
    const addresses = [hashAddress({ medium: 'msisdn', address: digits }, String(pepper))];
    const body = { addresses, algorithm: 'sha256', pepper };
    const found = async (token: string) =>
      Object.values((await ok('POST', 'lookup', { token, body, on }))['mappings'] as IdentityBody);
    expect(await found(judy.token)).toEqual([ivy.user.userId]);
    expect(await found(kim.token)).toEqual([]);
    await on.stop();
  });

  it('is told with the master key that they published, signed, as long as they do, after a restart too', async () => {
    const [erin, asking] = [await useIt('erin'), await useIt('asking')];
    const digits = await bindNumber(erin);
    const key = 'A'.repeat(43);
    const masterKey = { user_id: erin.userId, usage: ['master'], keys: { [`ed25519:${key}`]: key } };
    const publish = (master_key: unknown) => call('PUT', KEYS, { token: erin.token, body: { master_key } });
    const found = async () => (await hashedLookup(asking.token, [digits], `${KEYS}/lookup`))[digits];
    expect(await found()).toMatchObject({ mxid: erin.userId, signatures: { [server.name]: {} } });
    for (const wrong of [
      undefined,
      {},
      { ...masterKey, user_id: asking.userId },
      { ...masterKey, usage: ['self_signing'] },
      { ...masterKey, keys: { [`ed25519:${key}`]: 'B'.repeat(43) } },
    ]) {
      expect((await publish(wrong)).status).toBe(400);
    }
    expect((await publish({ ...masterKey, more: 'x', signatures: {} })).status).toBe(200);
    await server.whileAway();
    expect(await found()).toEqual({
      mxid: erin.userId,
      master_key: masterKey,
      signatures: expect.anything() as object,
    });
    expect(await ok('GET', KEYS, { token: erin.token })).toEqual({ master_key: masterKey });
    await ok('PUT', FINDABLE, { token: erin.token, body: { readers: [] } });
    expect(await found()).toBeUndefined();
    await ok('PUT', FINDABLE, { token: erin.token, body: { readers: ['everybody'] } });
    await ok('DELETE', KEYS, { token: erin.token });
    expect(await found()).toEqual({ mxid: erin.userId, signatures: expect.anything() as object });
  });
});

describe('a homeserver that believes the identity server', () => {
  let home: FederatedServer;
  beforeAll(async () => {
    home = await FederatedServer.start({
      ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost',
      ANNALS_IDENTITY_TRUSTED_SERVERS: server.name,
      ANNALS_LOGIN_FLOWS: 'm.login.password,m.login.email.identity',
    });
  });
  afterAll(() => home.stop());

  const v3 = '/_matrix/client/v3';
  /** A mail address that was shown to the identity server, by somebody of another homeserver. */
  const showMail = async (email: string): Promise<IdentityBody> => {
    const { token } = await useIt(email.split('@')[0]!);
    const client_secret = `of-${email.split('@')[0]}`;
    const { sid } = await ok('POST', 'validate/email/requestToken', {
      token,
      body: { client_secret, email, send_attempt: 1 },
    });
    const { text } = await mails.waitFor(email);
    const shown = new URL(/https?:\S+submitToken\S+/.exec(text)![0]).searchParams.get('token')!;
    await ok('POST', 'validate/email/submitToken', { token, body: { sid, client_secret, token: shown } });
    return { sid, client_secret, id_server: server.name, id_access_token: token };
  };
  const register = (username: string, threepid_creds: unknown, on = home) =>
    call('POST', `${v3}/register`, {
      body: { username, password: 'a password', auth: { type: 'm.login.email.identity', threepid_creds } },
      on,
    });
  const addressesOf = async (token: unknown, on = home) =>
    ((await ok('GET', `${v3}/account/3pid`, { token: String(token), on }))['threepids'] as IdentityBody[]).map(
      ({ address }) => address,
    );

  it('says on the page of the stage that it sends nothing by itself', async () => {
    const body = { username: 'paged', password: 'x' };
    const { session } = (await call('POST', `${v3}/register`, { body, on: home })).body;
    const path = `${v3}/auth/m.login.email.identity/fallback/web?session=${String(session)}`;
    expect(String((await call('GET', path, { on: home })).body['text'])).toContain('speaks to your identity server');
  });

  it('takes for shown what was shown there, once, in a registration', async () => {
    const creds = await showMail('frank@mail.example');
    expect((await register('frank0', { ...creds, sid: 'other' })).body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
    expect((await register('frank1', { ...creds, id_server: 'other.example' })).body['errcode']).toBe(
      'M_THREEPID_AUTH_FAILED',
    );
    const { status, body } = await register('frank', creds);
    expect([status, body]).toEqual([200, expect.anything()]);
    expect(await addressesOf(body['access_token'])).toEqual(['frank@mail.example']);
    expect((await register('frank2', creds)).body['errcode']).toBe('M_THREEPID_AUTH_FAILED');
  });

  it('takes it where somebody adds it to their account, in today’s form and that of before', async () => {
    const user = await home.register('grace');
    const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'grace' }, password: 'a password' };
    await user.ok('POST', '/account/3pid/add', { ...(await showMail('grace@mail.example')), auth });
    const { client_secret: clientSecret, id_server: idServer, ...others } = await showMail('grace2@mail.example');
    const three_pid_creds = { clientSecret, idServer, ...others };
    await user.ok('POST', '/account/3pid', { three_pid_creds, auth });
    expect(await addressesOf(user.token)).toEqual(
      expect.arrayContaining(['grace@mail.example', 'grace2@mail.example']),
    );
  });

  it('lets people in by it through the door of 2015 where the operator says so, without a token of the identity server', async () => {
    const creds = await showMail('heidi@mail.example');
    await register('heidi', creds);
    const anew = await (async () => {
      const client_secret = 'login';
      const asked = { client_secret, email: 'heidi@mail.example', send_attempt: 1 };
      const { sid } = await ok('POST', `${V1}/validate/email/requestToken`, { body: asked });
      const { text } = await mails.waitFor('heidi@mail.example', 2);
      const shown = new URL(/https?:\S+submitToken\S+/.exec(text)![0]).searchParams.get('token')!;
      await ok('POST', `${V1}/validate/email/submitToken`, { body: { sid, client_secret, token: shown } });
      return { sid, clientSecret: client_secret, idServer: server.name };
    })();
    const body = { type: 'm.login.email.identity', threepidCreds: [anew] };
    const login = await ok('POST', '/_matrix/client/api/v1/login', { body, on: home });
    expect(login['user_id']).toBe(`@heidi:${home.name}`);
    expect((await call('POST', '/_matrix/client/api/v1/login', { body, on: home })).status).not.toBe(200);
  });

  it('is asked for nothing by one that does not', async () => {
    const other = await FederatedServer.start({ ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost' });
    const { flows } = (await call('POST', `${v3}/register`, { body: { username: 'x', password: 'x' }, on: other }))
      .body;
    expect(flows).toEqual([{ stages: ['m.login.dummy'] }]);
    await other.stop();
  });
});
