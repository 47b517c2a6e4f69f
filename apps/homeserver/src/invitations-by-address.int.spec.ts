import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { createSigningKey } from '#protocol/signing/signing-key';
import { FakePeer } from '#testing/fake-peer';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { startTextGateway, type TextGateway } from '#testing/text-gateway';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';
import { IdentityClient, linkTo } from '#testing/identity-client';

const INVITATION = '/_matrix/identity/unstable/dev.annals.invitation';
const OFFER = 'm.room.third_party_invite';
const V1 = '/_matrix/client/api/v1';
const inPath = encodeURIComponent;

let mails: MailServer;
let texts: TextGateway;
/** The identity server, and two homeservers. */
let identity: FederatedServer;
let home: FederatedServer;
let other: FederatedServer;
let alice: IdentityClient<FederatedUser>;

beforeAll(async () => {
  mails = await startMailServer();
  texts = await startTextGateway();
  identity = await FederatedServer.start((name) => ({
    ANNALS_ROLES: 'all,identity',
    ANNALS_SMTP_URL: mails.url,
    ANNALS_TEXT_MESSAGES: texts.url,
    ANNALS_TEXT_MESSAGES_COUNTRIES: 'DE',
    ANNALS_PUBLIC_URL: `https://${name}`,
    ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost',
  }));
  const near = { ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost' };
  home = await FederatedServer.start(near);
  other = await FederatedServer.start(near);
  alice = await somebody('alice');
  const { userId } = alice.user;
  await alice.user.ok('PUT', `/profile/${inPath(userId)}/displayname`, { displayname: 'Alice' });
});
afterAll(async () => {
  for (const server of [home, other, identity]) await server.stop();
  await mails.close();
  await texts.close();
});

const somebody = async (name: string, at = home): Promise<IdentityClient<FederatedUser>> =>
  IdentityClient.open(identity, mails, await at.register(name));
const mail = (address: string) => ({ medium: 'email', address });
const roomOf = async (by: FederatedUser, more: object = {}): Promise<string> =>
  (await by.ok('POST', '/createRoom', { preset: 'private_chat', name: 'The Tea House', ...more })).room_id as string;
const invite = (by: IdentityClient<FederatedUser>, roomId: string, address: string, more: object = {}) =>
  by.user.call('POST', `/rooms/${inPath(roomId)}/invite`, { ...mail(address), ...by.at, ...more });
const stateOf = async (by: FederatedUser, roomId: string, type: string): Promise<JsonObject[]> =>
  ((await by.ok('GET', `/rooms/${inPath(roomId)}/state`)) as JsonObject[]).filter((event) => event['type'] === type);
const invitesOf = async (user: FederatedUser): Promise<string[]> =>
  Object.keys((await user.ok('GET', '/sync?timeout=0')).rooms?.invite ?? {});
const membershipOf = async (by: FederatedUser, roomId: string, userId: string): Promise<unknown> => {
  const path = `/rooms/${inPath(roomId)}/state/m.room.member/${inPath(userId)}`;
  return (await by.call('GET', path)).body.membership;
};

describe('somebody who is known by a mail address alone', () => {
  it('is written to, and is who is invited once they show that it is theirs', async () => {
    const roomId = await roomOf(alice.user);
    expect(await invite(alice, roomId, 'Bob@mail.example')).toEqual({ status: 200, body: {} });
    const [offer, ...more] = await stateOf(alice.user, roomId, OFFER);
    expect(more).toEqual([]);
    expect(offer).toMatchObject({ sender: alice.user.userId, content: { display_name: 'b...@m...' } });
    expect(JSON.stringify(offer)).not.toMatch(/bob|mail\.example/i);
    const { subject, text } = await received('bob@mail.example');
    expect(subject).toContain('Alice invites you to The Tea House');
    expect(text).toContain(`Alice (${alice.user.userId}) invites you to the room “The Tea House”`);
    const link = await linkTo(mails, 'bob@mail.example', INVITATION);
    const page = await (await fetch(`${identity.address}${link.pathname}${link.search}`)).text();
    expect(page).toContain(roomId);
    const bob = await somebody('bob', other);
    await bob.bind('bob@mail.example');
    await expect.poll(() => invitesOf(bob.user)).toEqual([roomId]);
    await expect.poll(() => membershipOf(alice.user, roomId, bob.user.userId)).toBe('invite');
    expect(await stateOf(alice.user, roomId, 'm.room.member')).toContainEqual(
      expect.objectContaining({
        state_key: bob.user.userId,
        content: expect.objectContaining({
          membership: 'invite',
          third_party_invite: expect.objectContaining({ display_name: 'b...@m...' }) as unknown,
        }) as unknown,
      }),
    );
    await bob.user.ok('POST', `/join/${inPath(roomId)}?via=${home.name}`, {});
    await expect.poll(() => membershipOf(alice.user, roomId, bob.user.userId)).toBe('join');
    const over = await (await fetch(`${identity.address}${link.pathname}${link.search}`)).text();
    expect(over).toContain('holds no more');
  });

  it('is invited at once, and not written to, where it is known whose the address is', async () => {
    const carol = await somebody('carol', other);
    await carol.bind('carol@mail.example');
    const roomId = await roomOf(alice.user);
    expect(await invite(alice, roomId, 'carol@mail.example')).toEqual({ status: 200, body: {} });
    expect(await stateOf(alice.user, roomId, OFFER)).toEqual([]);
    expect(await invitesOf(carol.user)).toEqual([roomId]);
    expect(mails.received.filter(({ to }) => to.includes('carol@mail.example'))).toHaveLength(1);
    const stored = { ...mail('carol@mail.example'), room_id: roomId, sender: alice.user.userId };
    expect(await alice.call('POST', 'store-invite', stored)).toMatchObject({
      status: 400,
      body: { errcode: 'M_THREEPID_IN_USE', mxid: carol.user.userId },
    });
  });

  it('is one user: whoever has the address later is not invited too', async () => {
    const roomId = await roomOf(alice.user);
    await invite(alice, roomId, 'dave@mail.example');
    const [dave, second] = [await somebody('dave'), await somebody('second')];
    await dave.bind('dave@mail.example');
    await expect.poll(() => invitesOf(dave.user)).toEqual([roomId]);
    await second.bind('dave@mail.example');
    expect(await second.lookUp('dave@mail.example')).toBe(second.user.userId);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await invitesOf(second.user)).toEqual([]);
  });

  it('is not given away by it where they do not want to be found, and may accept all the same', async () => {
    const quinn = await somebody('quinn');
    await quinn.call('PUT', '/_matrix/identity/unstable/dev.annals.findable', { readers: [] });
    await quinn.bind('quinn@mail.example');
    const roomId = await roomOf(alice.user);
    expect(await invite(alice, roomId, 'quinn@mail.example')).toEqual({ status: 200, body: {} });
    const { searchParams } = await linkTo(mails, 'quinn@mail.example', INVITATION);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await membershipOf(alice.user, roomId, quinn.user.userId)).toBeUndefined();
    expect(await invitesOf(quinn.user)).toEqual([]);
    const by = { token: searchParams.get('token'), private_key: searchParams.get('private_key') };
    const { body: signed } = await quinn.call('POST', 'sign-ed25519', { ...by, mxid: quinn.user.userId });
    await quinn.user.ok('POST', `/join/${inPath(roomId)}`, { third_party_signed: signed });
  });

  it('is asked for by who may invite, and of others nobody is written to', async () => {
    const roomId = await roomOf(alice.user);
    const erin = await somebody('erin');
    expect(await invite(erin, roomId, 'frank@mail.example')).toMatchObject({
      status: 403,
      body: { errcode: 'M_FORBIDDEN' },
    });
    await invite(alice, roomId, 'x', { user_id: erin.user.userId });
    await erin.user.ok('POST', `/join/${inPath(roomId)}`, {});
    const levels = (await stateOf(alice.user, roomId, 'm.room.power_levels'))[0]!['content'] as JsonObject;
    const path = `/rooms/${inPath(roomId)}/state/m.room.power_levels/`;
    await alice.user.ok('PUT', path, { ...levels, invite: 50 });
    expect(await invite(erin, roomId, 'frank@mail.example')).toMatchObject({ status: 403 });
    expect(mails.received.filter(({ to }) => to.includes('frank@mail.example'))).toEqual([]);
  });

  it('is written to at a phone, where only the number is known', async () => {
    const roomId = await roomOf(alice.user);
    const number = { medium: 'msisdn', address: '4915112345678' };
    expect(await invite(alice, roomId, '', number)).toEqual({ status: 200, body: {} });
    const { text } = await texts.waitFor('+4915112345678');
    expect(text).toMatch(/^@alice:\S+ invites you to a room on Matrix/);
    expect(text).toContain(INVITATION);
    expect(await stateOf(alice.user, roomId, OFFER)).toMatchObject([{ content: { display_name: '49...' } }]);
    const unknown = { ...number, room_id: roomId, sender: '@billg:microsoft.example' };
    expect(await alice.call('POST', '/_matrix/identity/api/v1/store-invite', unknown)).toMatchObject({ status: 403 });
    expect(texts.received).toHaveLength(1);
  });

  it('is named as it has to be', async () => {
    const roomId = await roomOf(alice.user);
    const wrong: readonly (readonly [object, string])[] = [
      [{ address: 'nobody' }, 'M_INVALID_PARAM'],
      [{ medium: 'pigeon' }, 'M_INVALID_PARAM'],
      [{ id_server: 'no server/x' }, 'M_INVALID_PARAM'],
      [{ id_access_token: undefined }, 'M_MISSING_PARAM'],
      [{ id_server: undefined }, 'M_MISSING_PARAM'],
      // What an identity server says of its token is not said of the client's own.
      [{ id_access_token: 'wrong' }, 'M_UNAUTHORIZED'],
    ];
    for (const [more, errcode] of wrong) {
      const { status, body } = await invite(alice, roomId, 'grace@mail.example', more);
      expect([more, status >= 400, body.errcode]).toEqual([more, true, errcode]);
    }
    expect(await stateOf(alice.user, roomId, OFFER)).toEqual([]);
  });

  it('is asked into a new room, by clients of today and of 2015, for which a token is got', async () => {
    const today = { invite_3pid: [{ ...mail('heidi@mail.example'), ...alice.at }] };
    const first = await roomOf(alice.user, today);
    expect(await stateOf(alice.user, first, OFFER)).toHaveLength(1);
    const ivan = { invite_3pid: [{ ...mail('ivan@mail.example'), id_server: identity.name }] };
    const { room_id: second } = await alice.user.ok('POST', `${V1}/createRoom`, { ...ivan, visibility: 'private' });
    expect(await stateOf(alice.user, second as string, OFFER)).toHaveLength(1);
    const judy = { ...mail('judy@mail.example'), id_server: identity.name };
    await alice.user.ok('POST', `${V1}/rooms/${inPath(second as string)}/invite`, judy);
    expect(await stateOf(alice.user, second as string, OFFER)).toHaveLength(2);
    for (const name of ['heidi', 'ivan', 'judy']) await linkTo(mails, `${name}@mail.example`, INVITATION);
    const lacks = { invite_3pid: [{ ...mail('heidi@mail.example'), id_server: identity.name }] };
    expect(await alice.user.call('POST', '/createRoom', lacks)).toMatchObject({
      status: 400,
      body: { errcode: 'M_MISSING_PARAM' },
    });
  });

  it.each(['', V1])(
    'is asked into a one-to-one chat as one, known or not, and as their presence has it: %s',
    async (door) => {
      const name = door === '' ? 'nina' : 'norma';
      const [known, unknown] = [await somebody(name), await somebody(`${name}-later`)];
      await known.bind(`${name}@mail.example`);
      const into = async (...names: string[]): Promise<string> => {
        const asked = names.map((each) => ({ ...mail(`${each}@mail.example`), ...alice.at }));
        const body = { is_direct: true, visibility: 'private', preset: 'private_chat', invite_3pid: asked };
        return (await alice.user.ok('POST', `${door}/createRoom`, body)).room_id as string;
      };
      const roomId = await into(name, `${name}-later`);
      await unknown.bind(`${name}-later@mail.example`);
      for (const { user } of [known, unknown]) {
        await expect.poll(() => membershipOf(alice.user, roomId, user.userId)).toBe('invite');
        const member = await alice.user.ok(
          'GET',
          `/rooms/${inPath(roomId)}/state/m.room.member/${inPath(user.userId)}`,
        );
        expect(member).toMatchObject({ membership: 'invite', is_direct: true });
      }
      const wish = `/user/${inPath(known.user.userId)}/account_data/dev.annals.one_to_one_invites`;
      await known.user.ok('PUT', wish, { online: 'nobody' });
      const refused = await into(name);
      expect(await membershipOf(alice.user, refused, known.user.userId)).toBeUndefined();
    },
  );

  it('is invited no more once that was taken back', async () => {
    const roomId = await roomOf(alice.user);
    await invite(alice, roomId, 'kim@mail.example');
    const [offer] = await stateOf(alice.user, roomId, OFFER);
    await alice.user.ok('PUT', `/rooms/${inPath(roomId)}/redact/${inPath(String(offer!['event_id']))}/1`, {});
    const kim = await somebody('kim', other);
    await kim.bind('kim@mail.example');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await invitesOf(kim.user)).toEqual([]);
    expect(await membershipOf(alice.user, roomId, kim.user.userId)).toBeUndefined();
  });
});

describe('whoever reads the mail', () => {
  const linked = async (address: string) => {
    const roomId = await roomOf(alice.user);
    await invite(alice, roomId, address);
    const { searchParams } = await linkTo(mails, address, INVITATION);
    return { roomId, token: searchParams.get('token')!, private_key: searchParams.get('private_key')! };
  };
  const isValid = async (key: string): Promise<unknown> =>
    (await alice.call('GET', `pubkey/ephemeral/isvalid?public_key=${inPath(key)}`)).body['valid'];

  it.each([
    ['of the same server', () => home],
    ['of another server', () => other],
  ])('comes in %s by what the key in it signs, as one user', async (_, at) => {
    const lena = await somebody('lena', at());
    const { roomId, ...by } = await linked(`lena-${lena.user.userId.split(':').at(-1)}@mail.example`);
    const [offer] = await stateOf(alice.user, roomId, OFFER);
    const [longTerm, ephemeral] = (offer!['content'] as JsonObject)['public_keys'] as { public_key: string }[];
    expect(await isValid(ephemeral!.public_key)).toBe(true);
    expect(await isValid(longTerm!.public_key)).toBe(false);
    const { status, body: signed } = await lena.call('POST', 'sign-ed25519', { ...by, mxid: lena.user.userId });
    expect([status, signed]).toMatchObject([
      200,
      { mxid: lena.user.userId, sender: alice.user.userId, token: by.token },
    ]);
    const mallory = await somebody('mallory', at());
    for (const user of [mallory]) {
      const more = { ...by, mxid: user.user.userId };
      expect(await user.call('POST', 'sign-ed25519', more)).toMatchObject({
        status: 404,
        body: { errcode: 'M_UNRECOGNIZED' },
      });
      const join = `/join/${inPath(roomId)}?via=${home.name}`;
      expect((await user.user.call('POST', join, { third_party_signed: signed })).status).toBe(403);
    }
    await lena.user.ok('POST', `/join/${inPath(roomId)}?via=${home.name}`, { third_party_signed: signed });
    await expect.poll(() => membershipOf(alice.user, roomId, lena.user.userId)).toBe('join');
    expect(await isValid(ephemeral!.public_key)).toBe(true);
  });

  it('has it signed by clients of before, which send all of it in the URL', async () => {
    const { token, private_key } = await linked('mike@mail.example');
    const mxid = '@mike:elsewhere.example';
    const query = new URLSearchParams({ token, private_key, mxid }).toString();
    const sign = async (asked: string) => {
      const answer = await fetch(`${identity.address}/_matrix/identity/api/v1/sign-ed25519?${asked}`, {
        method: 'POST',
      });
      return { status: answer.status, body: (await answer.json()) as JsonObject };
    };
    expect(await sign(query)).toMatchObject({ status: 200, body: { mxid, token } });
    for (const wrong of [{ token: 'x' }, { private_key: 'x' }, { private_key: encodeBase64(Buffer.alloc(32)) }]) {
      const asked = new URLSearchParams({ token, private_key, mxid, ...wrong }).toString();
      expect((await sign(asked)).status).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('an identity server', () => {
  it('is not told whom to write to by who is somebody else, and writes nothing that nobody vouches for', async () => {
    const roomId = await roomOf(alice.user);
    const wanted = {
      ...mail('nadia@mail.example'),
      room_id: roomId,
      sender: '@billg:microsoft.example',
      room_name: 'Win',
    };
    expect(await alice.call('POST', 'store-invite', wanted)).toMatchObject({ status: 403 });
    for (const [more, status, errcode] of [
      [{ medium: 'pigeon' }, 400, 'M_UNRECOGNIZED'],
      [{ medium: 'msisdn', address: '1' }, 400, 'M_INVALID_ADDRESS'],
      [{ medium: 'msisdn', address: '33123456789' }, 400, 'M_DESTINATION_REJECTED'],
      [{ address: 'x' }, 400, 'M_INVALID_EMAIL'],
      [{ room_id: 'x' }, 400, 'M_INVALID_PARAM'],
    ] as const) {
      const body = { ...wanted, sender: alice.user.userId, ...more };
      expect(await alice.call('POST', 'store-invite', body)).toMatchObject({ status, body: { errcode } });
    }
    const v1 = await alice.call('POST', '/_matrix/identity/api/v1/store-invite', wanted);
    expect(v1).toMatchObject({
      status: 200,
      body: { display_name: 'n...@m...', public_key: expect.any(String) as unknown },
    });
    const { subject, text } = await received('nadia@mail.example');
    expect(`${subject} ${text}`).not.toMatch(/Win|billg/);
  });

  it('tells the homeserver until it hears, by the method that it knows', async () => {
    const peer = await FakePeer.start();
    const told: JsonObject[] = [];
    let isBusy = true;
    peer.on('GET', '/_matrix/federation/v1/openid/userinfo', () => ({ body: { sub: `@olga:${peer.name}` } }));
    peer.on('PUT', '/_matrix/federation/v1/3pid/onbind', () => ({ status: 405, body: { errcode: 'M_UNRECOGNIZED' } }));
    peer.on('POST', '/_matrix/federation/v1/3pid/onbind', ({ content }) => {
      told.push(content);
      return isBusy ? { status: 502, body: { errcode: 'M_UNKNOWN' } } : { body: {} };
    });
    const roomId = await roomOf(alice.user);
    await invite(alice, roomId, 'olga@mail.example');
    const olga = await IdentityClient.open(identity, mails, {
      userId: `@olga:${peer.name}`,
      ok: async () => ({ access_token: 'of olga', matrix_server_name: peer.name }),
    });
    await olga.bind('olga@mail.example');
    await expect.poll(() => told.length).toBeGreaterThan(0);
    expect(told[0]).toMatchObject({
      medium: 'email',
      address: 'olga@mail.example',
      mxid: olga.user.userId,
      signatures: { [identity.name]: {} },
      invites: [{ room_id: roomId, sender: alice.user.userId, signed: { mxid: olga.user.userId } }],
    });
    let before = 0;
    await identity.whileAway(async () => {
      isBusy = false;
      before = told.length;
    });
    expect(before).toBe(1); // who says that they are busy is left alone for a while
    await expect.poll(() => told.length).toBeGreaterThan(before);
    const after = told.length;
    await identity.whileAway();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(told).toHaveLength(after);
    await peer.stop();
  });
});

describe('a homeserver that is told whose an address is', () => {
  const key = createSigningKey(Buffer.alloc(32, 5), '0');
  const onbind = async (body: unknown, method = 'PUT') => {
    const answer = await fetch(`${home.address}/_matrix/federation/v1/3pid/onbind`, {
      method,
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as JsonObject };
  };

  it('takes nobody’s word for it but that of who made the key of the invitation', async () => {
    const pat = await home.register('pat');
    const roomId = await roomOf(alice.user);
    const content = {
      display_name: 'p...',
      public_key: encodeBase64(key.publicKey),
      public_keys: [{ public_key: encodeBase64(key.publicKey) }],
    };
    await alice.user.ok('PUT', `/rooms/${inPath(roomId)}/state/${OFFER}/tok`, {
      ...content,
      key_validity_url: 'https://localhost:1/_matrix/identity/v2/pubkey/isvalid',
    });
    const inviteOf = (mxid: string, by = key, token = 'tok') => ({
      ...mail('pat@mail.example'),
      mxid,
      room_id: roomId,
      sender: alice.user.userId,
      signed: signJson({ mxid, token, sender: alice.user.userId }, 'id.example', by),
    });
    const tell = (invites: unknown, method?: string) =>
      onbind({ ...mail('pat@mail.example'), mxid: pat.userId, invites }, method);
    const wrong = [
      inviteOf(alice.user.userId),
      inviteOf(pat.userId, createSigningKey(Buffer.alloc(32, 6), '0')),
      inviteOf(pat.userId, key, 'x'),
      1,
      {},
    ];
    expect(await tell(wrong)).toEqual({ status: 200, body: {} });
    expect(await invitesOf(pat)).toEqual([]);
    // Whether the key was taken back is asked where the room says, and nobody answers there.
    expect(await tell([inviteOf(pat.userId)])).toMatchObject({ status: 502 });
    expect(await invitesOf(pat)).toEqual([]);
    await alice.user.ok('PUT', `/rooms/${inPath(roomId)}/state/${OFFER}/tok`, {
      ...content,
      key_validity_url: 'http://id.example/',
    });
    expect(await tell([inviteOf(pat.userId)])).toEqual({ status: 200, body: {} });
    expect(await invitesOf(pat)).toEqual([]);
    const peer = await FakePeer.start();
    let valid = false;
    peer.on('GET', '/_matrix/identity/v2/pubkey/isvalid', () => ({ body: { valid } }));
    await alice.user.ok('PUT', `/rooms/${inPath(roomId)}/state/${OFFER}/tok`, {
      ...content,
      key_validity_url: `https://${peer.name}/_matrix/identity/v2/pubkey/isvalid`,
    });
    expect(await tell([inviteOf(pat.userId)])).toEqual({ status: 200, body: {} });
    expect(await invitesOf(pat)).toEqual([]);
    valid = true;
    expect(await tell([inviteOf(pat.userId)], 'POST')).toEqual({ status: 200, body: {} });
    expect(await invitesOf(pat)).toEqual([roomId]);
    const idsOf = async () => (await stateOf(alice.user, roomId, 'm.room.member')).map((event) => event['event_id']);
    const before = await idsOf();
    expect(await tell([inviteOf(pat.userId)])).toEqual({ status: 200, body: {} });
    expect(await idsOf()).toEqual(before);
    await peer.stop();
  });

  it('tells nobody who has an account, and refuses what is no such thing', async () => {
    const nobody = { ...mail('x@mail.example'), mxid: `@nobody:${home.name}`, invites: [] };
    expect(await onbind(nobody)).toEqual({ status: 200, body: {} });
    expect(await onbind({ ...nobody, mxid: '@x:elsewhere.example' })).toEqual({ status: 200, body: {} });
    for (const wrong of [
      { ...nobody, mxid: 1 },
      { ...nobody, invites: {} },
    ]) {
      expect(await onbind(wrong)).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
    }
    expect(await onbind({ ...nobody, invites: Array.from({ length: 101 }, () => ({})) })).toMatchObject({
      status: 413,
    });
  });
});

/** The first mail to an address, with its subject. */
async function received(address: string): Promise<{ readonly subject: string; readonly text: string }> {
  const { source, text } = await mails.waitFor(address);
  return { subject: /^Subject: (.*(?:\r\n[ \t].*)*)/m.exec(source)?.[1] ?? '', text };
}
