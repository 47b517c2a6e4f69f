import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Accounts, BY_SERVER } from '#accounts/accounts';
import { decideAcceptance } from '#accounts/decide/decide-terms';
import type { AcceptedTerms } from '#accounts/terms/terms';
import type { UserId } from '#kernel/ids';
import { userStream } from '#kernel/user-stream';
import { registerAdmin, SHARED_SECRET } from '#testing/register-admin';
import { type RoomsAnswer, type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';
import { SyncApp } from '#testing/sync-app';

let app: RoomsApp;
let admin: string;
let count = 0;
let name: string;
let userId: string;

beforeAll(async () => {
  app = await startRoomsApp([], { ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET });
  admin = await registerAdmin(app);
});
afterAll(() => app.close());
beforeEach(() => {
  name = `person${++count}`;
  userId = `@${name}:a.example`;
});

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
const ask = (method: Method, path: string, body?: object, token = admin): Promise<RoomsAnswer> =>
  app.call(method, `/_synapse/admin/${path}`, { token, body });
const put = (body: object, of = userId): Promise<RoomsAnswer> => ask('PUT', `v2/users/${of}`, body);
const refusal = ({ status, body }: RoomsAnswer): unknown[] => [status, body.errcode];
const logIn = async (password: string, user = name): Promise<RoomsAnswer> =>
  app.call('POST', '/_matrix/client/v3/login', {
    body: { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password },
  });
const factsOfUser = async (of = userId): Promise<string[]> => {
  const types: string[] = [];
  for await (const { type } of app.store.readStream(`user-${of}`)) types.push(type);
  return types;
};

const NEW = {
  is_guest: false,
  admin: false,
  deactivated: false,
  erased: false,
  locked: false,
  suspended: false,
  shadow_banned: false,
  user_type: null,
  threepids: [],
  external_ids: [],
  last_seen_ts: null,
  appservice_id: null,
  consent_server_notice_sent: null,
  consent_version: null,
  consent_ts: null,
};

describe('one user, for administrators', () => {
  it('is made as what they are to be, once', async () => {
    const wanted = {
      password: 'sesame',
      displayname: 'A person',
      avatar_url: 'mxc://a.example/picture',
      threepids: [{ medium: 'email', address: `${name}@mail.example` }],
      external_ids: [{ auth_provider: 'oidc', external_id: name }],
      admin: false,
      deactivated: false,
      user_type: null,
    };
    const { status, body } = await put(wanted);
    const times = { validated_at: expect.any(Number), added_at: expect.any(Number) };
    expect([status, body]).toEqual([
      201,
      {
        ...NEW,
        name: userId,
        displayname: 'A person',
        avatar_url: 'mxc://a.example/picture',
        threepids: [{ medium: 'email', address: `${name}@mail.example`, ...times }],
        external_ids: wanted.external_ids,
        creation_ts: expect.any(Number),
      },
    ]);
    expect(Math.abs(body.creation_ts * 1000 - Date.now())).toBeLessThan(60_000);
    expect((await logIn('sesame')).status).toBe(200);
    expect((await ask('GET', `v2/users/${userId}`)).body).toMatchObject({ ...body, last_seen_ts: null });
    const before = await factsOfUser();
    expect((await put({ ...wanted, password: undefined })).status).toBe(200);
    expect(await factsOfUser()).toEqual(before);
  });

  it('becomes somebody else in what is named, and stays as they are in all else', async () => {
    await put({
      password: 'sesame',
      displayname: 'A person',
      threepids: [{ medium: 'msisdn', address: '+447700900001' }],
    });
    const { access_token: token } = (await logIn('sesame')).body;
    const mail = { medium: 'email', address: `${name}@mail.example` };
    expect((await put({ threepids: [mail], displayname: '' })).body).toMatchObject({
      displayname: null,
      threepids: [mail],
    });
    expect(
      (await put({ threepids: [{ medium: 'msisdn', address: '447700900001' }] }, `@other.${name}:a.example`)).status,
    ).toBe(201);
    expect((await put({ admin: true, locked: false })).body).toMatchObject({ admin: true });
    expect((await put({ admin: false, locked: true })).body).toMatchObject({ admin: false, locked: true });
    expect((await put({ locked: false, password: 'another', logout_devices: false })).status).toBe(200);
    const whoami = (): Promise<RoomsAnswer> => app.call('GET', '/_matrix/client/v3/account/whoami', { token });
    expect((await whoami()).status).toBe(200);
    expect((await put({ password: 'a third' })).status).toBe(200);
    expect((await whoami()).status).toBe(401);
    expect([(await logIn('another')).status, (await logIn('a third')).status]).toEqual([403, 200]);
    expect((await put({ external_ids: [{ auth_provider: 'a', external_id: 'x' }] })).body.external_ids).toHaveLength(1);
    expect((await put({ external_ids: [{ auth_provider: 'b', external_id: 'x' }] })).body.external_ids).toEqual([
      { auth_provider: 'b', external_id: 'x' },
    ]);
    expect((await put({ external_ids: [] })).body.external_ids).toEqual([]);
  });

  it('has nothing changed by what is refused in part', async () => {
    const mail = { medium: 'email', address: `${name}@mail.example` };
    await put({ threepids: [mail] }, `@other.${name}:a.example`);
    await put({ external_ids: [{ auth_provider: 'oidc', external_id: name }] }, `@other.${name}:a.example`);
    await put({ displayname: 'A person' });
    const before = await factsOfUser();
    const free = { medium: 'email', address: `free.${name}@mail.example` };
    for (const [wrong, expected] of [
      [{ threepids: [free, mail] }, [400, 'M_THREEPID_IN_USE']],
      [{ threepids: [free], external_ids: [{ auth_provider: 'oidc', external_id: name }] }, [403, 'M_FORBIDDEN']],
      [{ threepids: [free], displayname: 'x'.repeat(300) }, [400, 'M_INVALID_PARAM']],
      [{ threepids: [{ medium: 'email', address: 'none' }] }, [400, 'M_INVALID_PARAM']],
      [{ user_type: 'bot' }, [400, 'M_INVALID_PARAM']],
      [{ password: '' }, [400, 'M_WEAK_PASSWORD']],
      [{ admin: 'yes' }, [400, 'M_BAD_JSON']],
      [{ threepids: ['x'] }, [400, 'M_BAD_JSON']],
    ] as const) {
      expect([wrong, refusal(await put({ ...wrong, locked: true }))]).toEqual([wrong, expected]);
    }
    expect(await factsOfUser()).toEqual(before);
    // What was claimed for it is free again.
    expect((await put({ threepids: [free] }, `@third.${name}:a.example`)).status).toBe(201);
  });

  it('is no user id that could not be here, and of no other server', async () => {
    for (const none of ['@Ünïcode:a.example', '@:a.example', 'name', '@a b:a.example'])
      expect((await put({}, encodeURIComponent(none))).status).toBe(400);
    expect(refusal(await put({}, '@bob:b.example'))).toEqual([400, 'M_INVALID_PARAM']);
    expect(refusal(await ask('GET', `v2/users/${userId}`))).toEqual([404, 'M_NOT_FOUND']);
  });

  it('is closed, and frees what they had', async () => {
    const mail = { medium: 'email', address: `${name}@mail.example` };
    await put({ password: 'sesame', threepids: [mail] });
    expect((await put({ deactivated: true })).body).toMatchObject({ deactivated: true, threepids: [], erased: false });
    expect((await logIn('sesame')).status).toBe(403);
    expect(refusal(await put({ deactivated: false }))).toEqual([400, 'M_MISSING_PARAM']);
    expect(refusal(await put({ displayname: 'x' }))).toEqual([403, 'M_USER_DEACTIVATED']);
    expect((await put({ deactivated: true })).status).toBe(200);
    expect((await put({ threepids: [mail] }, `@other.${name}:a.example`)).status).toBe(201);
    const other = `@erased.${name}:a.example`;
    await put({ displayname: 'A person' }, other);
    expect(await ask('POST', `v1/deactivate/${other}`, { erase: true })).toEqual({
      status: 200,
      body: { id_server_unbind_result: 'success' },
    });
    expect((await ask('GET', `v2/users/${other}`)).body).toMatchObject({
      deactivated: true,
      erased: true,
      displayname: null,
    });
  });

  it('is opened again with a password, by who is no guest, and with nothing of what they had', async () => {
    const mail = { medium: 'email', address: `${name}@mail.example` };
    await put({ password: 'sesame', displayname: 'A person', threepids: [mail], admin: true });
    await ask('POST', `v1/deactivate/${userId}`, { erase: true });
    const wanted = { deactivated: false, password: 'another' };
    const { status, body } = await put({ ...wanted, threepids: [mail] });
    const told = { deactivated: false, erased: false, admin: false, displayname: null, threepids: [mail] };
    expect([status, body]).toMatchObject([200, told]);
    expect([(await logIn('sesame')).status, (await logIn('another')).status]).toEqual([403, 200]);
    expect((await put({ ...wanted, password: undefined })).status).toBe(200);
    const guest = await app.registerGuest();
    await ask('POST', `v1/deactivate/${guest.userId}`, {});
    expect(refusal(await put(wanted, guest.userId))).toEqual([403, 'M_FORBIDDEN']);
    expect((await put(wanted, `@new.${name}:a.example`)).status).toBe(201);
  });

  it('is opened again without one where they come by an account elsewhere', async () => {
    const externalIds = [{ auth_provider: 'oidc-x', external_id: name }];
    await put({ external_ids: externalIds });
    await put({ deactivated: true });
    expect(refusal(await put({ deactivated: false, external_ids: [] }))).toEqual([400, 'M_MISSING_PARAM']);
    const { status, body } = await put({ deactivated: false });
    expect([status, body]).toMatchObject([200, { deactivated: false, external_ids: externalIds }]);
    // Erased, they have it no more, unless it is given to them.
    await ask('POST', `v1/deactivate/${userId}`, { erase: true });
    expect(refusal(await put({ deactivated: false }))).toEqual([400, 'M_MISSING_PARAM']);
    expect((await put({ deactivated: false, external_ids: externalIds })).body).toMatchObject({
      deactivated: false,
      external_ids: externalIds,
    });
  });

  it('does not shut themself out, and no other administrator', async () => {
    const root = '@root:a.example';
    for (const wanted of [{ admin: false }, { deactivated: true }])
      expect(refusal(await put(wanted, root))).toEqual([403, 'M_FORBIDDEN']);
    expect(refusal(await ask('POST', `v1/deactivate/${root}`, {}))).toEqual([403, 'M_FORBIDDEN']);
    expect(refusal(await ask('PUT', `v1/users/${root}/admin`, { admin: false }))).toEqual([403, 'M_FORBIDDEN']);
    await put({ admin: true });
    expect(refusal(await put({ locked: true }))).toEqual([403, 'M_FORBIDDEN']);
    expect((await ask('GET', `v1/users/${userId}/admin`)).body).toEqual({ admin: true });
    expect(await ask('PUT', `v1/users/${userId}/admin`, { admin: false })).toEqual({ status: 200, body: {} });
    expect((await ask('GET', `v1/users/${userId}/admin`)).body).toEqual({ admin: false });
  });

  it('is found by what they have elsewhere, and is in rooms', async () => {
    const bob = await app.register(name);
    await put({ threepids: [{ medium: 'email', address: `${name}@mail.example` }] });
    await put({ external_ids: [{ auth_provider: 'oidc-x', external_id: `a/${name}` }] });
    const found = { status: 200, body: { user_id: userId } };
    expect(await ask('GET', `v1/threepid/email/users/${name}@mail.example`)).toEqual(found);
    expect(await ask('GET', `v1/auth_providers/oidc-x/users/${encodeURIComponent(`a/${name}`)}`)).toEqual(found);
    expect(refusal(await ask('GET', `v1/threepid/email/users/nobody@mail.example`))).toEqual([404, 'M_NOT_FOUND']);
    expect(refusal(await ask('GET', `v1/auth_providers/oidc-x/users/nobody`))).toEqual([404, 'M_NOT_FOUND']);
    const [stays, left] = [await bob.createRoom(), await bob.createRoom()];
    await bob.ok('POST', `/rooms/${left}/leave`);
    expect((await ask('GET', `v1/users/${userId}/joined_rooms`)).body).toEqual({ joined_rooms: [stays], total: 1 });
    expect((await ask('GET', `v1/users/${userId}/memberships`)).body).toEqual({
      memberships: { [stays]: 'join', [left]: 'leave' },
    });
    expect((await ask('GET', `v1/whois/${userId}`)).body).toMatchObject({ user_id: userId });
    expect(refusal(await ask('GET', `v1/username_available?username=${name}`))).toEqual([400, 'M_USER_IN_USE']);
    expect((await ask('GET', `v1/username_available?username=free.${name}`)).body).toEqual({ available: true });
    expect((await ask('GET', 'v1/server_version')).body).toEqual({
      server_version: expect.stringMatching(/^Annals \d/),
    });
  });

  it('gets another password, with which the sessions end', async () => {
    const bob = await app.register(name);
    expect(
      await ask('POST', `v1/reset_password/${userId}`, { new_password: 'another', logout_devices: false }),
    ).toEqual({
      status: 200,
      body: {},
    });
    expect((await bob.call('GET', '/account/whoami')).status).toBe(200);
    await ask('POST', `v1/reset_password/${userId}`, { new_password: 'a third' });
    expect((await bob.call('GET', '/account/whoami')).status).toBe(401);
    expect((await logIn('a third')).status).toBe(200);
  });

  it('has devices, which are made, named and ended', async () => {
    const bob = await app.register(name);
    const devices = `v2/users/${userId}/devices`;
    expect(await ask('POST', devices, { device_id: 'MADE' })).toEqual({ status: 201, body: {} });
    expect((await ask('PUT', `${devices}/MADE`, { display_name: 'A device' })).status).toBe(200);
    expect((await ask('GET', `${devices}/MADE`)).body).toEqual({
      device_id: 'MADE',
      display_name: 'A device',
      user_id: userId,
    });
    const listed = (await ask('GET', devices)).body;
    expect(listed).toMatchObject({ total: 2 });
    expect(listed.devices).toContainEqual(expect.objectContaining({ device_id: 'MADE', dehydrated: false }));
    expect((await ask('DELETE', `${devices}/MADE`)).status).toBe(200);
    expect(refusal(await ask('GET', `${devices}/MADE`))).toEqual([404, 'M_NOT_FOUND']);
    expect(refusal(await ask('PUT', `${devices}/MADE`, {}))).toEqual([404, 'M_NOT_FOUND']);
    const [{ device_id: own }] = (await ask('GET', devices)).body.devices;
    expect((await ask('POST', `v2/users/${userId}/delete_devices`, { devices: [own] })).status).toBe(200);
    expect((await bob.call('GET', '/account/whoami')).status).toBe(401);
    for await (const { type, metadata } of app.store.readStream(`user-${userId}`)) {
      if (type === 'devices-removed') expect(metadata.actor).toBe('@root:a.example');
    }
  });
});

describe('the users of the server, for administrators', () => {
  let listed: RoomsApp;
  let root: string;
  const list = async (query = '', version = 'v2'): Promise<RoomsAnswer['body']> =>
    (await listed.call('GET', `/_synapse/admin/${version}/users?${query}`, { token: root })).body;
  const names = async (query = '', version = 'v2'): Promise<string[]> =>
    (await list(query, version)).users.map((user: { name: string }) => user.name.slice(1).split(':')[0]);

  beforeAll(async () => {
    listed = await startRoomsApp([], { ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET });
    root = await registerAdmin(listed);
    const make = (user: string, body: object) =>
      listed.call('PUT', `/_synapse/admin/v2/users/@${user}:a.example`, { token: root, body });
    await make('anna', { displayname: 'Zoe' });
    await make('bert', { displayname: 'Yan', avatar_url: 'mxc://a.example/b' });
    await make('carl', { locked: true });
    await make('dora', { deactivated: true });
  });
  afterAll(() => listed.close());

  it('are listed by their names, in pages that lead on, but those that are locked or closed', async () => {
    const first = await list('limit=2');
    expect(first).toMatchObject({ total: 3, next_token: '2' });
    expect(first.users[0]).toMatchObject({
      name: '@anna:a.example',
      displayname: 'Zoe',
      admin: false,
      locked: false,
      creation_ts: expect.any(Number),
      last_seen_ts: null,
    });
    expect(first.users[0].creation_ts).toBeGreaterThan(1_600_000_000_000);
    const second = await list('limit=2&from=2');
    expect(second.users.map((user: { name: string }) => user.name)).toEqual(['@root:a.example']);
    expect(second).not.toHaveProperty('next_token');
    expect(await names()).toEqual(['anna', 'bert', 'root']);
    expect(await list('from=9')).toEqual({ users: [], total: 3 });
  });

  it('are those that are asked for', async () => {
    expect(await names('locked=true')).toEqual(['anna', 'bert', 'carl', 'root']);
    expect(await names('deactivated=true')).toEqual(['anna', 'bert', 'dora', 'root']);
    expect(await names('', 'v3')).toEqual(['anna', 'bert', 'dora', 'root']);
    expect(await names('deactivated=true', 'v3')).toEqual(['dora']);
    expect(await names('deactivated=false', 'v3')).toEqual(['anna', 'bert', 'root']);
    expect(await names('admins=true')).toEqual(['root']);
    expect(await names('admins=false')).toEqual(['anna', 'bert']);
    expect(await names('name=Z')).toEqual(['anna']);
    expect(await names('name=ER')).toEqual(['bert']);
    expect(await names('name=example')).toEqual([]);
    expect(await names('user_id=ert%3Aa')).toEqual(['bert']);
    expect(await names('guests=false')).toEqual(['anna', 'bert', 'root']);
  });

  it('are in the order that is asked for, and by their names where that leaves it open', async () => {
    expect(await names('dir=b')).toEqual(['root', 'bert', 'anna']);
    expect(await names('order_by=displayname')).toEqual(['root', 'bert', 'anna']);
    expect(await names('order_by=avatar_url')).toEqual(['anna', 'root', 'bert']);
    expect(await names('order_by=creation_ts')).toEqual(['root', 'anna', 'bert']);
    expect(await names('order_by=admin&dir=b')).toEqual(['root', 'bert', 'anna']);
    expect(await names('order_by=user_type')).toEqual(['anna', 'bert', 'root']);
    expect(await names('order_by=last_seen_ts&dir=b')).toEqual(['root', 'bert', 'anna']);
    for (const wrong of ['order_by=password', 'dir=up', 'limit=-1', 'from=x', 'admins=maybe'])
      expect((await list(wrong)).errcode).toBe('M_INVALID_PARAM');
  });
});

it('administrators are told which documents somebody has accepted, in which version, and when the last of them', async () => {
  const asking = await SyncApp.start(undefined, { ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET });
  const token = await registerAdmin({
    call: (method, path, { body } = {}) => asking.call(method, path, undefined, body),
  });
  const { userId: alice } = await asking.register('alice');
  const told = async (): Promise<{ consent_version?: unknown; consent_ts?: unknown }> =>
    (await asking.call('GET', `/_synapse/admin/v2/users/${alice}`, token)).body;
  expect(await told()).toMatchObject({ consent_version: null, consent_ts: null });
  const accept = (documents: AcceptedTerms): Promise<unknown> =>
    asking.get(Accounts).change(alice as UserId, (account) => decideAcceptance(account, documents), BY_SERVER);
  await accept({ terms: '2', privacy: '1.0' });
  await accept({ terms: '3' });
  await expect.poll(async () => (await told()).consent_version).toBe('privacy 1.0, terms 3');
  const accepted = (await asking.factsOf(userStream(alice as UserId))).filter(({ type }) => type === 'terms-accepted');
  expect(accepted).toHaveLength(2);
  expect((await told()).consent_ts).toBe(accepted[1]!.metadata.at);
  await asking.close();
});

it('nobody but administrators is let near any of it', async () => {
  const bob: TestUser = await app.register(name);
  for (const [method, path] of [
    ['GET', 'v2/users'],
    ['GET', 'v3/users'],
    ['GET', `v2/users/${userId}`],
    ['PUT', `v2/users/${userId}`],
    ['POST', `v1/deactivate/${userId}`],
    ['POST', `v1/reset_password/${userId}`],
    ['GET', `v1/users/${userId}/admin`],
    ['PUT', `v1/users/${userId}/admin`],
    ['GET', `v1/users/${userId}/joined_rooms`],
    ['GET', `v1/users/${userId}/memberships`],
    ['GET', `v2/users/${userId}/devices`],
    ['POST', `v2/users/${userId}/devices`],
    ['POST', `v2/users/${userId}/delete_devices`],
    ['GET', `v2/users/${userId}/devices/X`],
    ['PUT', `v2/users/${userId}/devices/X`],
    ['DELETE', `v2/users/${userId}/devices/X`],
    ['GET', 'v1/username_available?username=x'],
    ['GET', 'v1/threepid/email/users/x@mail.example'],
    ['GET', 'v1/auth_providers/x/users/y'],
    ['GET', 'v1/server_version'],
  ] as const) {
    const body = method === 'GET' || method === 'DELETE' ? undefined : BODY;
    const answer = await app.call(method, `/_synapse/admin/${path}`, { token: bob.token, body });
    expect([path, ...refusal(answer)]).toEqual([path, 403, 'M_FORBIDDEN']);
  }
  expect((await bob.call('GET', '/account/whoami')).status).toBe(200);
});

/** As much as lets each of these requests be read. */
const BODY = { admin: true, new_password: 'x', devices: [], device_id: 'X', display_name: 'x' };
