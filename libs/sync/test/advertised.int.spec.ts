import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CryptoUser } from '#testing/crypto-user';
import { SlidingClient } from '#testing/sliding-client';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let carol: SyncUser;
let roomId: string;
let root: string;

beforeAll(async () => {
  app = await SyncApp.start(undefined, {
    ANNALS_STICKY_EVENTS: 'on',
    ANNALS_RETENTION: 'on',
    ANNALS_PRESENCE: 'on',
  });
  [alice, bob, carol] = await Promise.all([app.register('alice'), app.register('bob'), app.register('carol')]);
  roomId = await alice.createRoom({ preset: 'public_chat', room_version: '10' });
  await bob.join(roomId);
  await carol.join(roomId);
  root = await alice.send(roomId, 'a root');
  await bob.send(roomId, 'in the thread', { 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
});
afterAll(() => app.close());

const V1 = '/_matrix/client/v1';
const UNSTABLE = '/_matrix/client/unstable';
const idsOf = ({ chunk }: { chunk: { event_id: string }[] }): string[] => chunk.map(({ event_id: id }) => id);
async function threadReceipt(): Promise<void> {
  const path = `${roomPath(roomId)}/receipt/m.read/${root}`;
  await alice.ok('POST', path, { thread_id: root });
  const { rooms } = await alice.sync();
  expect(JSON.stringify(rooms.join[roomId].ephemeral)).toContain(`"thread_id":"${root}"`);
}

async function threadsAre(prefix: string): Promise<void> {
  expect(idsOf(await alice.ok('GET', `${prefix}${roomPath(roomId)}/threads`))).toEqual([root]);
}

async function relationsAreTold(dir: string, recurse: string): Promise<void> {
  const event = await alice.send(roomId, 'another root');
  const related = (params: object): Promise<string[]> =>
    alice.ok('GET', `${V1}${roomPath(roomId)}/relations/${event}?${queryOf({ ...params })}`).then(idsOf);
  const reply = (id: string, type: string): Promise<string> =>
    bob.send(roomId, 'said', { 'm.new_content': {}, 'm.relates_to': { rel_type: type, event_id: id } });
  const [first, second] = [await reply(event, 'm.thread'), await reply(event, 'm.thread')];
  const edit = await reply(first, 'm.replace');
  expect(await related({ [dir]: 'f' })).toEqual([first, second]);
  expect(await related({ [dir]: 'b' })).toEqual([second, first]);
  expect(await related({ [recurse]: true })).toEqual([edit, second, first]);
}

async function mutualRoomsAre(path: string): Promise<void> {
  expect(await alice.ok('GET', `${path}?user_id=${bob.userId}`)).toEqual({ joined: [roomId], count: 1 });
}

async function profileHas(key: string): Promise<void> {
  await alice.ok('PUT', `/profile/${alice.userId}/${key}`, { [key]: 'x' });
  expect(await bob.ok('GET', `/profile/${alice.userId}/${key}`)).toEqual({ [key]: 'x' });
}

async function invitationsAreRefused(type: string, content: object): Promise<void> {
  const path = `/user/${carol.userId}/account_data/${type}`;
  await carol.ok('PUT', path, content);
  expect((await bob.call('POST', '/createRoom', { invite: [carol.userId] })).body.errcode).toBe('M_INVITE_BLOCKED');
  await carol.ok('PUT', path, {});
}

/** Each feature that the server says it has, or may say when it is wanted, and what shows that it has it. */
const SHOWN: Readonly<Record<string, () => Promise<void>>> = {
  'org.matrix.e2e_cross_signing': async () => {
    const keys = new CryptoUser(alice.userId, 'A').crossSigningKeys();
    await alice.ok('POST', '/keys/device_signing/upload', keys);
    const { master_keys: masters } = await bob.ok('POST', '/keys/query', { device_keys: { [alice.userId]: [] } });
    expect(masters[alice.userId].keys).toEqual(keys.master_key['keys']);
  },
  'org.matrix.msc3026.busy_presence': async () => {
    await alice.ok('PUT', `/presence/${alice.userId}/status`, { presence: 'org.matrix.msc3026.busy' });
    await alice.sync();
    const { presence } = await bob.ok('GET', `/presence/${alice.userId}/status`);
    expect(presence).toBe('org.matrix.msc3026.busy');
  },
  'org.matrix.msc4380.stable': () => invitationsAreRefused('m.invite_permission_config', { default_action: 'block' }),
  'org.matrix.msc4155': () =>
    invitationsAreRefused('org.matrix.msc4155.invite_permission_config', { blocked_users: [bob.userId] }),
  'org.matrix.msc2285.stable': async () => {
    await bob.ok('POST', `${roomPath(roomId)}/receipt/m.read.private/${root}`, {});
    expect(JSON.stringify((await bob.sync()).rooms.join[roomId].ephemeral)).toContain('m.read.private');
    expect(JSON.stringify((await alice.sync()).rooms.join[roomId].ephemeral)).not.toContain('m.read.private');
  },
  'org.matrix.msc3030.stable': async () => {
    const found = await alice.ok('GET', `${V1}${roomPath(roomId)}/timestamp_to_event?ts=0&dir=f`);
    expect(found.event_id).toMatch(/^\$/);
  },
  'org.matrix.msc3440.stable': async () => {
    const { unsigned } = await alice.ok('GET', `${roomPath(roomId)}/event/${root}`);
    expect(unsigned['m.relations']['m.thread']).toMatchObject({ current_user_participated: true });
  },
  'org.matrix.msc3771': threadReceipt,
  'org.matrix.msc3773': async () => {
    await bob.send(roomId, 'news', { 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    const { rooms } = await alice.sync({ filter: { room: { timeline: { unread_thread_notifications: true } } } });
    expect(Object.keys(rooms.join[roomId].unread_thread_notifications)).toEqual([root]);
  },
  'org.matrix.msc3856': () => threadsAre(`${UNSTABLE}/org.matrix.msc3856`),
  'org.matrix.msc3856.stable': () => threadsAre(V1),
  'org.matrix.msc3715': () => relationsAreTold('org.matrix.msc3715.dir', 'recurse'),
  'org.matrix.msc3715.stable': () => relationsAreTold('dir', 'recurse'),
  'org.matrix.msc3981': () => relationsAreTold('dir', 'org.matrix.msc3981.recurse'),
  'org.matrix.msc3827.stable': async () => {
    const space = { creation_content: { type: 'm.space' }, visibility: 'public', preset: 'public_chat' };
    const ids = [await alice.createRoom(space), await alice.createRoom({ ...space, creation_content: {} })];
    const { chunk } = await alice.ok('POST', '/publicRooms', { filter: { room_types: ['m.space'] } });
    expect(chunk.map(({ room_id: id }: { room_id: string }) => id)).toEqual([ids[0]]);
  },
  'com.beeper.msc4169': async () => {
    for (const version of ['10', '11']) {
      const room = await alice.createRoom({ room_version: version });
      const event = await alice.send(room, 'oops');
      await alice.ok('PUT', `${roomPath(room)}/send/m.room.redaction/t${version}`, { redacts: event });
      expect((await alice.ok('GET', `${roomPath(room)}/event/${event}`)).content).toEqual({});
    }
  },
  'uk.tcpip.msc4133': () => profileHas('org.example.pronouns'),
  'uk.tcpip.msc4133.stable': () => profileHas('m.tz'),
  'org.matrix.msc4222': async () => {
    for (const name of ['use_state_after', 'org.matrix.msc4222.use_state_after']) {
      const room = (await alice.sync({ [name]: true })).rooms.join[roomId];
      const states = Object.keys(room).filter((key) => key.includes('state'));
      expect(states).toEqual([name.replace('use_', '')]);
      expect(room[states[0]!].events).toContainEqual(expect.objectContaining({ type: 'm.room.create' }));
    }
    expect((await alice.sync({ 'org.matrix.msc4222.use_state_after': false })).rooms.join[roomId]).toHaveProperty(
      'state',
    );
  },
  'org.matrix.simplified_msc3575': async () => {
    const lists = { all: { ranges: [[0, 9]], timeline_limit: 1, required_state: [['m.room.create', '']] } };
    const { rooms } = await new SlidingClient(bob).next({ lists });
    expect(rooms[roomId]).toMatchObject({ initial: true, required_state: [{ type: 'm.room.create' }] });
  },
  'org.matrix.msc4306': async () => {
    const path = `${UNSTABLE}/io.element.msc4306${roomPath(roomId)}/thread/${root}/subscription`;
    await carol.ok('PUT', path, {});
    expect(await carol.ok('GET', path)).toEqual({ automatic: false });
    await carol.ok('DELETE', path);
    expect((await carol.call('GET', path)).status).toBe(404);
  },
  'org.matrix.msc4308': async () => {
    await carol.ok('PUT', `${UNSTABLE}/io.element.msc4306${roomPath(roomId)}/thread/${root}/subscription`, {});
    const name = 'io.element.msc4308.thread_subscriptions';
    const { extensions } = await new SlidingClient(carol).next({ extensions: { [name]: { enabled: true } } });
    const threads = { subscribed: { [roomId]: { [root]: { automatic: false, bump_stamp: expect.any(Number) } } } };
    expect(extensions[name]).toMatchObject(threads);
    expect(await carol.ok('GET', `${UNSTABLE}/io.element.msc4308/thread_subscriptions?dir=b`)).toMatchObject(threads);
  },
  'org.matrix.msc3881': async () => {
    const names = { app_display_name: 'a', device_display_name: 'b', lang: 'en' };
    const data = { url: 'https://push.example.org/_matrix/push/v1/notify' };
    const enabled = { 'org.matrix.msc3881.enabled': false };
    await bob.ok('POST', '/pushers/set', { app_id: 'app', pushkey: 'key', kind: 'http', ...names, data, ...enabled });
    expect((await bob.ok('GET', '/pushers')).pushers).toMatchObject([enabled]);
  },
  'org.matrix.msc4140': () => delayedEventsAre(`${UNSTABLE}/org.matrix.msc4140`),
  'org.matrix.msc4140.stable': () => delayedEventsAre(V1),
  'org.matrix.msc4354': async () => {
    const path = `${roomPath(roomId)}/send/a.type/sticky?org.matrix.msc4354.sticky_duration_ms=60000`;
    const { event_id: id } = await alice.ok('PUT', path, {});
    const { rooms } = await bob.sync({ filter: { room: { timeline: { limit: 0 } } } });
    const [event] = rooms.join[roomId].msc4354_sticky.events;
    expect(event).toMatchObject({ event_id: id, msc4354_sticky: { duration_ms: 60_000 } });
  },
  'org.matrix.msc1763': async () => {
    const path = `${UNSTABLE}/org.matrix.msc1763/retention/configuration`;
    expect(await alice.ok('GET', path)).toEqual({ policies: {}, limits: {} });
  },
  'uk.half-shot.msc2666.query_mutual_rooms': () => mutualRoomsAre(`${UNSTABLE}/uk.half-shot.msc2666/user/mutual_rooms`),
  'uk.half-shot.msc2666.query_mutual_rooms.stable': () => mutualRoomsAre(`${V1}/mutual_rooms`),
};

async function delayedEventsAre(prefix: string): Promise<void> {
  const path = `/rooms/${encodeURIComponent(await alice.createRoom())}/send/a.type/t?org.matrix.msc4140.delay=100000`;
  const { delay_id: id } = await alice.ok('PUT', path, {});
  expect(await alice.ok('GET', `${prefix}/delayed_events?status=scheduled`)).toMatchObject({
    delayed_events: [{ delay_id: id }],
  });
  await alice.ok('POST', `${prefix}/delayed_events/${id}/cancel`, {});
}

describe('a feature that the server says it has', () => {
  it('is one that is shown here, and is said with a token and without', async () => {
    const { versions, unstable_features: features } = (await app.call('GET', '/_matrix/client/versions')).body;
    expect(Object.keys(features).filter((feature) => !Object.hasOwn(SHOWN, feature))).toEqual([]);
    expect(new Set(Object.values(features))).toEqual(new Set([true]));
    for (const token of [alice.token, 'of nobody']) {
      const { status, body } = await app.call('GET', '/_matrix/client/versions', token);
      expect([status, body]).toEqual([200, { versions, unstable_features: features }]);
    }
    // Clients look for these by name: gomuks, Element on iOS, all others for one of a range.
    for (const version of ['r0.5.0', 'r0.6.0', 'v1.1', 'v1.4', 'v1.10', 'v1.11', 'v1.19'])
      expect(versions).toContain(version);
  });

  it.each(Object.keys(SHOWN))('is there: %s', async (feature) => SHOWN[feature]!());
});

describe('what a client asks for at its start and the server does not have', () => {
  const asked = [
    ['GET', `${V1}/auth_metadata`],
    ['GET', `${UNSTABLE}/org.matrix.msc2965/auth_metadata`],
    ['GET', `${V1}/media/config`],
    ['GET', '/_matrix/media/v3/config'],
    ['GET', '/_matrix/client/v3/thirdparty/protocols'],
    ['POST', `${V1}/login/get_token`],
  ] as const;

  it.each(asked)('is refused as the specification wants it: %s %s', async (method, path) => {
    const { status, body } = await alice.call(method, path, method === 'POST' ? {} : undefined);
    expect([status, body]).toEqual([404, { errcode: 'M_UNRECOGNIZED', error: expect.any(String) }]);
  });

  it('is not what it does have', async () => {
    expect((await alice.call('GET', '/pushrules/')).status).toBe(200);
    expect((await alice.call('GET', '/capabilities')).body.capabilities).toMatchObject({
      'm.profile_fields': { enabled: true },
      'm.set_displayname': { enabled: true },
      'm.set_avatar_url': { enabled: true },
      'm.change_password': { enabled: true },
      'm.3pid_changes': { enabled: false },
      'm.get_login_token': { enabled: true },
      'm.forget_forced_upon_leave': { enabled: false },
      'm.room_versions': { default: '12' },
    });
  });
});
