import { createPublicKey, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { linkTo } from '#testing/identity-client';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { TestAuthority } from '#testing/test-authority';
import { startTextGateway, type TextGateway } from '#testing/text-gateway';
import { askV1 } from './support/dialects.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { canonical, type Json } from './support/federation/foreign-events.js';
import { type Answer, type Client } from './support/homeserver.js';
import { joinOnceInvited, openAt, startIdentity } from './support/identity.js';
import { path } from './support/three-users.js';

// Servers are started, one of them twice.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

const V1 = '/_matrix/identity/api/v1';
const V2 = '/_matrix/identity/v2';
/** What stands before the 32 bytes of an Ed25519 key in its usual form (RFC 8410). */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

let mails: MailServer;
let texts: TextGateway;
let identity: FederatingAnnals;
let home: FederatingAnnals;

beforeAll(async () => {
  [mails, texts] = await Promise.all([startMailServer(), startTextGateway()]);
  const authority = new TestAuthority();
  [identity, home] = await Promise.all([
    startIdentity(authority, mails, { ANNALS_ROLES: 'identity', ANNALS_TEXT_MESSAGES: texts.url }),
    FederatingAnnals.begin(authority, { ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost' }),
  ]);
});
afterAll(async () => {
  await home?.remove();
  await identity?.remove();
  await texts.close();
  await mails.close();
});

const get = (asked: string, query: Readonly<Record<string, string>>): Promise<Answer> =>
  identity.request('GET', `${V1}/${asked}?${new URLSearchParams(query).toString()}`);
const post = (asked: string, body: object): Promise<Answer> => identity.request('POST', `${V1}/${asked}`, { body });
async function ok(asked: Promise<Answer>): Promise<Answer['body']> {
  const { status, body } = await asked;
  expect([status, body]).toEqual([200, body]);
  return body;
}
/** As the first clients sent it: a form. */
async function postForm(asked: string, form: Readonly<Record<string, string>>): Promise<Answer['body']> {
  const answer = await fetch(`${identity.base}${V1}/${asked}`, { method: 'POST', body: new URLSearchParams(form) });
  expect(answer.status).toBe(200);
  return answer.json();
}

interface Shown {
  readonly sid: string;
  readonly client_secret: string;
}

/** Has a mail address shown to be somebody's, as far as the link in the mail goes. */
async function beginByMail(email: string): Promise<{ session: Shown; token: string }> {
  const client_secret = `secret-of-${email.split('@')[0]}`;
  const { sid } = await postForm('validate/email/requestToken', { client_secret, email, send_attempt: '1' });
  const { searchParams } = await linkTo(mails, email, `${V2}/validate/email/submitToken`, sid);
  return { session: { sid, client_secret }, token: searchParams.get('token')! };
}

/** Shows that a mail address is theirs, and makes it so. */
async function bindByMail(email: string, { userId: mxid }: Client): Promise<Shown> {
  const { session, token } = await beginByMail(email);
  expect(await ok(post('validate/email/submitToken', { ...session, token }))).toEqual({ success: true });
  await ok(post('3pid/bind', { ...session, mxid }));
  return session;
}

/** Whether the identity server has signed an object, by the key that it tells. */
async function isSigned({ signatures, ...object }: Json): Promise<boolean> {
  const [[keyId, signature]] = Object.entries((signatures as Record<string, object>)[identity.name]!) as [
    [string, string],
  ];
  const { public_key: key } = await ok(identity.request('GET', `${V1}/pubkey/${keyId}`));
  expect(await ok(get('pubkey/isvalid', { public_key: key }))).toEqual({ valid: true });
  const publicKey = createPublicKey({
    key: Buffer.concat([SPKI, Buffer.from(key, 'base64')]),
    format: 'der',
    type: 'spki',
  });
  return verify(null, Buffer.from(canonical(object)), publicKey, Buffer.from(signature, 'base64'));
}

describe('API v1 of an identity server by itself', () => {
  it('has a mail address shown to be somebody’s and made so, tells it signed in either version, and takes it back', async () => {
    const ada = await home.register('ada');
    const [address, mxid] = ['ada@mail.example', ada.userId];
    const { session, token } = await beginByMail(address);
    const shown = (): Promise<Answer> => get('3pid/getValidated3pid', { ...session });
    const bind = (): Promise<Answer> => post('3pid/bind', { ...session, mxid });
    const tooEarly = { status: 400, body: { errcode: 'M_SESSION_NOT_VALIDATED' } };
    expect([await shown(), await bind()]).toMatchObject([tooEarly, tooEarly]);
    expect((await post('validate/email/submitToken', { ...session, token: 'wrong' })).body.errcode).toBe(
      'M_TOKEN_INCORRECT',
    );
    expect(await postForm('validate/email/submitToken', { ...session, token })).toEqual({ success: true });
    expect(await ok(shown())).toMatchObject({ medium: 'email', address, validated_at: expect.any(Number) });
    expect(await ok(get('lookup', { medium: 'email', address }))).toEqual({});

    const association = await ok(bind());
    expect(association).toMatchObject({ medium: 'email', address, mxid, ts: expect.any(Number) });
    expect(await isSigned(association)).toBe(true);
    expect(await ok(get('lookup', { medium: 'email', address: 'Ada@Mail.example' }))).toEqual(association);
    const atToday = await openAt(identity, mails, await home.register('asker'));
    expect(await atToday.lookUp(address)).toBe(mxid);

    const threepid = { medium: 'email', address };
    const stranger = { ...session, client_secret: 'another' };
    expect((await post('3pid/unbind', { ...stranger, mxid, threepid })).status).toBe(404);
    expect(await ok(post('3pid/unbind', { ...session, mxid, threepid }))).toEqual({});
    expect(await ok(get('lookup', { medium: 'email', address }))).toEqual({});
    expect(await atToday.lookUp(address)).toBeUndefined();
  });

  it('does the same of phone numbers, and looks many up at once', async () => {
    const phil = await home.register('phil');
    const asked = { client_secret: 'phil', country: 'DE', phone_number: '0151 7654321', send_attempt: 1 };
    const { sid } = await ok(post('validate/msisdn/requestToken', asked));
    const session = { sid, client_secret: 'phil' };
    const token = await texts.codeFor('+491517654321');
    expect(await ok(post('validate/msisdn/submitToken', { ...session, token }))).toEqual({ success: true });
    await ok(post('3pid/bind', { ...session, mxid: phil.userId }));
    await bindByMail('phil@mail.example', phil);
    const [phone, mail] = [
      ['msisdn', '491517654321'],
      ['email', 'phil@mail.example'],
    ];
    const threepids = [phone, ['email', 'nobody@mail.example'], mail, ['pigeon', 'phil']];
    expect(await ok(post('bulk_lookup', { threepids }))).toEqual({
      threepids: [phone, mail].map((one) => [...one!, phil.userId]),
    });
    const atToday = await openAt(identity, mails, phil);
    expect(await atToday.lookUp('491517654321', 'msisdn')).toBe(phil.userId);
  });
});

describe('an invitation by an address, of applications and identity servers of 2015,', () => {
  /** A room that nobody comes into unless they are invited. */
  const roomOf = async (who: Client): Promise<string> =>
    (await ok(askV1(who, 'POST', '/createRoom', { visibility: 'private' }))).room_id;

  it('waits until the address is shown to be somebody’s, and then is theirs', async () => {
    const [alice, ben] = [await home.register('alice'), await home.register('ben')];
    const room = await roomOf(alice);
    const address = 'ben@mail.example';
    await ok(askV1(alice, 'POST', path(room, 'invite'), { medium: 'email', address, id_server: identity.name }));
    const { text } = await mails.waitFor(address);
    expect(text).toContain(alice.userId);
    await bindByMail(address, ben);
    await joinOnceInvited(room, ben, alice);
  });

  it('is stored for who asks the identity server itself, and brings the room the keys by which it holds', async () => {
    const [alice, bea] = [await home.register('anna'), await home.register('bea')];
    const room = await roomOf(alice);
    const address = 'bea@mail.example';
    const wanted = { medium: 'email', address, room_id: room, sender: alice.userId };
    const offer = await ok(post('store-invite', wanted));
    expect(offer).toMatchObject({ token: expect.any(String), display_name: 'b...@m...' });
    const [longTerm, ephemeral] = offer.public_keys as { public_key: string; key_validity_url: string }[];
    expect(longTerm!.public_key).toBe(offer.public_key);
    expect(await ok(get('pubkey/isvalid', { public_key: offer.public_key }))).toEqual({ valid: true });
    const key = { public_key: ephemeral!.public_key };
    expect(await ok(get('pubkey/ephemeral/isvalid', key))).toEqual({ valid: true });
    const { token, ...content } = offer;
    const state = { ...content, key_validity_url: longTerm!.key_validity_url };
    await ok(askV1(alice, 'PUT', path(room, 'state', 'm.room.third_party_invite', token), state));
    await bindByMail(address, bea);
    await joinOnceInvited(room, bea, alice);

    // Whose the address is they know by now.
    const known = { status: 400, body: { errcode: 'M_THREEPID_IN_USE', mxid: bea.userId } };
    expect(await post('store-invite', wanted)).toMatchObject(known);
    const pigeon = await post('store-invite', { ...wanted, medium: 'pigeon' });
    expect([pigeon.status, pigeon.body.errcode]).toEqual([400, 'M_UNRECOGNIZED']);
  });
});
