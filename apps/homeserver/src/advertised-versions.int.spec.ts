import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CryptoUser } from '#testing/crypto-user';
import { registerAdmin } from '#testing/register-admin';
import { writeRegistration } from '#testing/registration-file';
import { WholeServer } from '../test/whole-server.js';

// The suite looks at what it expects of each answer.
// oxlint-disable-next-line typescript/no-explicit-any
type Body = any;

const V1 = '/_matrix/client/v1';
const V3 = '/_matrix/client/v3';
const SERVICE = 'token-of-the-service';

let server: WholeServer;
let alice: { userId: string; token: string };
let bob: { userId: string; token: string };
let root: string;
let roomId: string;
let count = 0;

async function ask(
  method: string,
  path: string,
  token?: string,
  body?: object,
): Promise<{ status: number; body: Body }> {
  const { status, text } = await server.request(method, path, { token, body: body && JSON.stringify(body) });
  return { status, body: text === '' ? undefined : (JSON.parse(text) as Body) };
}
async function ok(method: string, path: string, token?: string, body?: object): Promise<Body> {
  const answer = await ask(method, path, token, body);
  if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}
const create = async (body: object, token = alice.token): Promise<string> =>
  (await ok('POST', `${V3}/createRoom`, token, body)).room_id;
const inRoom = (rest: string, room = roomId): string => `${V3}/rooms/${encodeURIComponent(room)}/${rest}`;
const say = async (text: string, token = alice.token, room = roomId): Promise<string> =>
  (await ok('PUT', inRoom(`send/m.room.message/${++count}`, room), token, { msgtype: 'm.text', body: text })).event_id;
const newUser = (): Promise<{ userId: string; token: string }> => server.register(`user${++count}`);

beforeAll(async () => {
  server = await WholeServer.start({ ANNALS_OAUTH: 'on', ANNALS_APPSERVICES: writeRegistration() });
  [alice, bob] = [await server.register('alice'), await server.register('bob')];
  root = await registerAdmin({
    call: async (method, path, parts) => ask(method, path, undefined, parts?.body as object | undefined),
  });
  roomId = await create({ preset: 'public_chat', topic: 'What we talk about' });
  await ok('POST', `${V3}/join/${encodeURIComponent(roomId)}`, bob.token, {});
});
afterAll(() => server.close());

const restrict = (what: 'lock' | 'suspend', key: string, userId: string, isOn: boolean): Promise<Body> =>
  ok('PUT', `${V1}/admin/${what}/${userId}`, root, { [key]: isOn });
const capabilitiesOf = async (token: string): Promise<Body> =>
  (await ok('GET', `${V3}/capabilities`, token)).capabilities;
const upload = async (text: string): Promise<string> => {
  const { text: answer } = await server.request('POST', '/_matrix/media/v3/upload', {
    token: alice.token,
    body: text,
    headers: { 'content-type': 'text/plain' },
  });
  return (JSON.parse(answer) as { content_uri: string }).content_uri.slice('mxc://'.length);
};
const accountDataIs = async (type: string, content: object): Promise<void> => {
  const path = `${V3}/user/${alice.userId}/account_data/${type}`;
  await ok('PUT', path, alice.token, content);
  const { account_data: told } = await ok('GET', `${V3}/sync`, alice.token);
  expect(told.events).toContainEqual({ type, content });
};

/** What a client of a version relies on and one request shows; the rest is shown where docs/specification-versions.md says. */
const SHOWN: Readonly<Record<string, Readonly<Record<string, () => Promise<void>>>>> = {
  'v1.11': {
    'media are for who has a token, at paths of the client API': async () => {
      const id = await upload('for users');
      expect((await server.request('GET', `${V1}/media/download/${id}`)).status).toBe(401);
      const { status, text } = await server.request('GET', `${V1}/media/download/${id}/name.txt`, { token: bob.token });
      expect([status, text]).toEqual([200, 'for users']);
      expect(await ok('GET', `${V1}/media/config`, bob.token)).toEqual({ 'm.upload.size': expect.any(Number) });
      for (const path of [`thumbnail/${id}?width=9&height=9`, 'preview_url'])
        expect((await ask('GET', `${V1}/media/${path}`, bob.token)).body.errcode).not.toBe('M_UNRECOGNIZED');
    },
    'events say what their reader was in the room': async () => {
      const event = await ok('GET', inRoom(`event/${await say('hello')}`), bob.token);
      expect(event.unsigned.membership).toBe('join');
    },
    'the first keys of a user need no password': async () => {
      const user = await newUser();
      const keys = new CryptoUser(user.userId, 'A').crossSigningKeys();
      await ok('POST', `${V3}/keys/device_signing/upload`, user.token, keys);
    },
  },
  'v1.12': {
    'an account that is locked is soft-logged out': async () => {
      const user = await newUser();
      await restrict('lock', 'locked', user.userId, true);
      const { status, body } = await ask('GET', `${V3}/account/whoami`, user.token);
      expect([status, body]).toMatchObject([401, { errcode: 'M_USER_LOCKED', soft_logout: true }]);
    },
    'rooms are marked as unread': async () => {
      const path = `${V3}/user/${alice.userId}/rooms/${encodeURIComponent(roomId)}/account_data/m.marked_unread`;
      await ok('PUT', path, alice.token, { unread: true });
      const { rooms } = await ok('GET', `${V3}/sync`, alice.token);
      expect(rooms.join[roomId].account_data.events).toContainEqual({
        type: 'm.marked_unread',
        content: { unread: true },
      });
    },
    'servers to join and knock by are named `via`': async () => {
      const user = await newUser();
      await ok('POST', `${V3}/join/${encodeURIComponent(roomId)}?via=a.example&via=b.example`, user.token, {});
      const closed = await create({ initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }] });
      await ok('POST', `${V3}/knock/${encodeURIComponent(closed)}?via=a.example`, user.token, {});
    },
    'guests are given media': async () => {
      const guest = await server.register('', 'guest');
      const id = await upload('for guests');
      expect((await server.request('GET', `${V1}/media/download/${id}`, { token: guest.token })).text).toBe(
        'for guests',
      );
    },
  },
  'v1.13': {
    'rooms are reported, by whoever is not in them too': async () => {
      const user = await newUser();
      expect(await ok('POST', inRoom('report'), user.token, { reason: 'noise' })).toEqual({});
    },
    'an account that is suspended reads': async () => {
      const user = await newUser();
      await ok('POST', `${V3}/join/${encodeURIComponent(roomId)}`, user.token, {});
      await restrict('suspend', 'suspended', user.userId, true);
      await ok('GET', inRoom('messages?dir=b'), user.token);
      const message = { msgtype: 'm.text', body: 'x' };
      const { status, body } = await ask('PUT', inRoom('send/m.room.message/s'), user.token, message);
      expect([status, body.errcode]).toEqual([403, 'M_USER_SUSPENDED']);
    },
    'browsers may use every method that there is': async () => {
      const { headers } = await server.request('OPTIONS', `${V3}/sync`);
      for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'])
        expect(headers['access-control-allow-methods']).toContain(method);
    },
  },
  'v1.14': {
    'users are reported': async () => {
      expect(await ok('POST', `${V3}/users/${bob.userId}/report`, alice.token, { reason: 'noise' })).toEqual({});
    },
  },
  'v1.15': {
    'a room is summed up': async () => {
      const summary = await ok('GET', `${V1}/room_summary/${encodeURIComponent(roomId)}`, bob.token);
      expect(summary).toMatchObject({ room_id: roomId, membership: 'join', room_version: '12', join_rule: 'public' });
      const { rooms } = await ok('GET', `${V1}/rooms/${encodeURIComponent(roomId)}/hierarchy`, bob.token);
      expect(rooms[0]).toMatchObject({ room_id: roomId, room_version: '12' });
    },
    'the topic is told in several forms': async () => {
      const content = await ok('GET', inRoom('state/m.room.topic'), alice.token);
      expect(content).toMatchObject({
        topic: 'What we talk about',
        'm.topic': { 'm.text': [{ mimetype: 'text/plain' }] },
      });
    },
    'applications find the OAuth 2.0 API': async () => {
      const metadata = await ok('GET', `${V1}/auth_metadata`);
      for (const key of ['issuer', 'authorization_endpoint', 'token_endpoint', 'registration_endpoint'])
        expect(metadata[key]).toEqual(expect.any(String));
      expect(metadata.revocation_endpoint).toEqual(expect.any(String));
    },
  },
  'v1.16': {
    'rooms are of version 12, whose ids name no server and whose creators no power level holds': async () => {
      expect(roomId).toMatch(/^![\w-]{43}$/);
      const levels = await ok('GET', inRoom('state/m.room.power_levels'), alice.token);
      expect(levels.users).toEqual({});
      expect(levels.events['m.room.tombstone']).toBeGreaterThan(levels.state_default);
    },
    'who may be trusted begins a room as a creator, and an upgrade names others': async () => {
      const trusted = await create({ preset: 'trusted_private_chat', invite: [bob.userId] });
      const createOf = async (room: string): Promise<Body> =>
        ok('GET', inRoom('state/m.room.create', room), alice.token);
      expect((await createOf(trusted)).additional_creators).toEqual([bob.userId]);
      const upgrade = { new_version: '12', additional_creators: [bob.userId] };
      const old = await create({});
      const { replacement_room: next } = await ok('POST', inRoom('upgrade', old), alice.token, upgrade);
      expect(await createOf(next)).toMatchObject({ additional_creators: [bob.userId], predecessor: { room_id: old } });
    },
    'profiles have any fields, of which a time zone': async () => {
      const path = `${V3}/profile/${alice.userId}`;
      await ok('PUT', `${path}/m.tz`, alice.token, { 'm.tz': 'Europe/Berlin' });
      await ok('PUT', `${path}/org.example.pet`, alice.token, { 'org.example.pet': { name: 'Rex' } });
      expect(await ok('GET', path, bob.token)).toMatchObject({
        'm.tz': 'Europe/Berlin',
        'org.example.pet': { name: 'Rex' },
      });
      await ok('DELETE', `${path}/org.example.pet`, alice.token);
      expect((await ask('GET', `${path}/org.example.pet`, bob.token)).status).toBe(404);
      expect(await capabilitiesOf(alice.token)).toMatchObject({ 'm.profile_fields': { enabled: true } });
    },
    'state is told after the timeline': async () => {
      const { rooms } = await ok('GET', `${V3}/sync?use_state_after=true`, alice.token);
      expect(rooms.join[roomId].state_after.events).toContainEqual(expect.objectContaining({ type: 'm.room.create' }));
      expect(rooms.join[roomId].state).toBeUndefined();
    },
    'a state event is told whole': async () => {
      const event = await ok('GET', inRoom('state/m.room.topic?format=event'), bob.token);
      expect(event).toMatchObject({
        type: 'm.room.topic',
        sender: alice.userId,
        content: { topic: expect.any(String) },
      });
    },
    'who is invited knows how the room began': async () => {
      const user = await newUser();
      const room = await create({ invite: [user.userId] });
      const { rooms } = await ok('GET', `${V3}/sync`, user.token);
      expect(rooms.invite[room].invite_state.events).toContainEqual(expect.objectContaining({ type: 'm.room.create' }));
    },
  },
  'v1.17': {
    'application services make devices without a login, and speak as them': async () => {
      const type = 'm.login.application_service';
      await ok('POST', `${V3}/register`, SERVICE, { type, username: '_bridge_ghost', inhibit_login: true });
      const as = 'user_id=@_bridge_ghost:a.example';
      expect((await ask('PUT', `${V3}/devices/ITS?${as}`, SERVICE, {})).status).toBe(201);
      const { device_id: device } = await ok('GET', `${V3}/account/whoami?${as}&device_id=ITS`, SERVICE);
      expect(device).toBe('ITS');
      const { body } = await ask('GET', `${V3}/account/whoami?${as}&device_id=NONE`, SERVICE);
      expect(body.errcode).toBe('M_UNKNOWN_DEVICE');
      const keys = (): object => new CryptoUser('@_bridge_ghost:a.example', 'ITS').crossSigningKeys();
      for (let i = 0; i < 2; i++) await ok('POST', `${V3}/keys/device_signing/upload?${as}`, SERVICE, keys());
      await ok('DELETE', `${V3}/devices/ITS?${as}`, SERVICE, {});
    },
    'no rule looks for names in messages': async () => {
      const { global: rules } = await ok('GET', `${V3}/pushrules/`, alice.token);
      const ids = [...rules.override, ...rules.content].map(({ rule_id: id }: { rule_id: string }) => id);
      expect(ids).toContain('.m.rule.is_user_mention');
      for (const old of ['.m.rule.contains_display_name', '.m.rule.contains_user_name', '.m.rule.roomnotif'])
        expect(ids).not.toContain(old);
    },
  },
  'v1.18': {
    'administrators are told that they may lock and suspend': async () => {
      const user = await newUser();
      expect(await ok('GET', `${V1}/admin/lock/${user.userId}`, root)).toEqual({ locked: false });
      expect(await ok('GET', `${V1}/admin/suspend/${user.userId}`, root)).toEqual({ suspended: false });
      expect(await capabilitiesOf(root)).toMatchObject({ 'm.account_moderation': { lock: true, suspend: true } });
    },
    'applications find the page of the account, and let devices in by a code': async () => {
      const metadata = await ok('GET', `${V1}/auth_metadata`);
      expect(metadata).toMatchObject({
        account_management_uri: expect.any(String),
        account_management_actions_supported: expect.arrayContaining(['org.matrix.device_delete']),
        device_authorization_endpoint: expect.any(String),
        grant_types_supported: expect.arrayContaining(['urn:ietf:params:oauth:grant-type:device_code']),
      });
    },
    'what was left may have to be forgotten': async () => {
      expect(await capabilitiesOf(alice.token)).toMatchObject({ 'm.forget_forced_upon_leave': { enabled: false } });
    },
    'a redaction is sent as any event': async () => {
      const eventId = await say('oops');
      await ok('PUT', inRoom(`send/m.room.redaction/${++count}`), alice.token, { redacts: eventId });
      expect((await ok('GET', inRoom(`event/${eventId}`), bob.token)).content).toEqual({});
    },
    'whoever wants no invitations has none': async () => {
      const user = await newUser();
      const path = `${V3}/user/${user.userId}/account_data/m.invite_permission_config`;
      await ok('PUT', path, user.token, { default_action: 'block' });
      const { status, body } = await ask('POST', inRoom('invite'), alice.token, { user_id: user.userId });
      expect([status, body.errcode]).toEqual([403, 'M_INVITE_BLOCKED']);
    },
    'reports do not tell what is there': async () => {
      for (const path of [`rooms/!none/report`, `users/@none:a.example/report`])
        expect(await ok('POST', `${V3}/${path}`, alice.token, { reason: 'noise' })).toEqual({});
    },
    'a limit of an account is told with where to read of it': async () => {
      const user = await newUser();
      const names = { app_display_name: 'a', device_display_name: 'b', lang: 'en' };
      const set = (n: number): Promise<{ status: number; body: Body }> =>
        ask('POST', `${V3}/pushers/set`, user.token, {
          ...names,
          app_id: 'app',
          pushkey: `key ${n}`,
          kind: 'http',
          append: true,
          data: { url: 'https://push.example.org/_matrix/push/v1/notify' },
        });
      for (let n = 0; n < 100; n++) expect((await set(n)).status).toBe(200);
      const { status, body } = await set(100);
      expect([status, body]).toEqual([
        403,
        {
          errcode: 'M_USER_LIMIT_EXCEEDED',
          error: 'An account has at most 100 pushers',
          info_uri: expect.stringMatching(/^http:.*\/_annals\/limits#pushers$/),
        },
      ]);
      const page = await server.request('GET', new URL(body.info_uri).pathname);
      expect([page.status, page.text]).toEqual([200, expect.stringContaining('<li id="pushers">100 pushers</li>')]);
    },
    'clients keep which emoji they used': () =>
      accountDataIs('m.recent_emoji', { recent_emoji: [{ emoji: '🙂', total: 1 }] }),
  },
  'v1.19': {
    'rooms that one has in common with somebody are listed': async () => {
      const { joined } = await ok('GET', `${V1}/mutual_rooms?user_id=${bob.userId}`, alice.token);
      expect(joined).toContain(roomId);
    },
    'state says what it replaced': async () => {
      const set = (topic: string): Promise<Body> => ok('PUT', inRoom('state/m.room.topic'), alice.token, { topic });
      const { event_id: first } = await set('one');
      await set('two');
      const event = await ok('GET', inRoom('state/m.room.topic?format=event'), bob.token);
      expect(event.unsigned).toMatchObject({ replaces_state: first, prev_content: { topic: 'one' } });
    },
    'rooms have packs of pictures': async () => {
      const content = { images: { rex: { url: 'mxc://a.example/rex' } } };
      await ok('PUT', inRoom('state/m.room.image_pack/pets'), alice.token, content);
      expect(await ok('GET', inRoom('state/m.room.image_pack/pets'), bob.token)).toEqual(content);
      await accountDataIs('m.image_pack.rooms', { rooms: { [roomId]: { pets: {} } } });
    },
    'clients keep whether they have a backup': () => accountDataIs('m.key_backup', { enabled: true }),
  },
};

describe('a version of the specification that the server says it speaks', () => {
  it('is one of which something is shown here, from v1.11 on', async () => {
    const { versions } = await ok('GET', '/_matrix/client/versions');
    const recent = versions.slice(versions.indexOf('v1.11'));
    expect(recent).toEqual(Object.keys(SHOWN));
  });

  describe.each(Object.keys(SHOWN))('%s', (version) => {
    it.each(Object.keys(SHOWN[version]!))('has it that %s', async (change) => SHOWN[version]![change]!());
  });
});
