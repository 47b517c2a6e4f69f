import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, SyncApp, SyncUser } from '#testing/sync-app';

const V1 = '/_matrix/client/api/v1';
const ALPHA = '/_matrix/client/v2_alpha';
const TODAY = '/_matrix/client/v3';

let app: SyncApp;
let alice: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  alice = await app.register('alice');
});
afterAll(() => app.close());

async function registerGuest(door: string): Promise<SyncUser> {
  const { status, body } = await app.call('POST', `${door}/register?kind=guest`, undefined, {});
  expect([door, status]).toEqual([door, 200]);
  return new SyncUser(app, body.user_id, body.access_token);
}

describe('the door between 2015 and today', () => {
  it('tells of the rooms of somebody who has none, which today is left out', async () => {
    const nobody = await app.register('nobody');
    const empty = { join: {}, invite: {}, leave: {} };
    const first = await nobody.ok('GET', `${ALPHA}/sync`);
    expect(first.rooms).toEqual(empty);
    expect((await nobody.ok('GET', `${ALPHA}/sync?since=${first.next_batch}`)).rooms).toEqual(empty);
    expect((await nobody.ok('GET', `${TODAY}/sync?since=${first.next_batch}`)).rooms).toBeUndefined();
    expect((await nobody.sync()).rooms).toBeUndefined();
  });

  it('registers users and guests', async () => {
    const guest = await registerGuest(ALPHA);
    expect((await guest.ok('GET', '/account/whoami')).is_guest).toBe(true);
    const body = { username: 'late', password: 'secret', auth: { type: 'm.login.dummy' } };
    const user = await app.call('POST', `${ALPHA}/register`, undefined, body);
    expect([user.status, user.body.user_id]).toEqual([200, '@late:a.example']);
  });

  it('begins at the beginning where `since` is empty', async () => {
    const { next_batch: token } = await alice.ok('GET', `${ALPHA}/sync?since=`);
    expect((await alice.call('GET', `${ALPHA}/sync?since=${token}`)).status).toBe(200);
  });
});

describe('typing', () => {
  it.each([V1, ALPHA])('begins by 1 and ends by 0 at %s, as clients of its time wrote', async (door) => {
    const roomId = await alice.createRoom();
    const path = `${roomPath(roomId)}/typing/${alice.userId}`;
    const typists = async (): Promise<string[]> => {
      const { rooms } = await alice.sync();
      const event = rooms.join[roomId].ephemeral.events.find(({ type }: { type: string }) => type === 'm.typing');
      return event?.content.user_ids ?? [];
    };
    await alice.ok('PUT', `${door}${path}`, { typing: 1 });
    expect(await typists()).toEqual([alice.userId]);
    await alice.ok('PUT', `${door}${path}`, { typing: 0 });
    expect(await typists()).toEqual([]);
    for (const typing of ['yes', null, 2, {}]) {
      expect((await alice.call('PUT', `${door}${path}`, { typing })).status).toBe(400);
    }
    const today = await alice.call('PUT', `${TODAY}${path}`, { typing: 1 });
    expect([today.status, today.body.errcode]).toEqual([400, 'M_BAD_JSON']);
  });
});

describe('the event stream', () => {
  it.each([V1, TODAY])('takes an empty `from` for none at %s', async (door) => {
    const empty = await alice.call('GET', `${door}/events?from=&timeout=0`);
    const absent = await alice.call('GET', `${door}/events?timeout=0`);
    expect([empty.status, absent.status]).toEqual([200, 200]);
    const idsOf = ({ chunk }: { chunk: { event_id: string }[] }) => chunk.map(({ event_id: id }) => id);
    expect(idsOf(empty.body)).toEqual(idsOf(absent.body));
    expect((await alice.call('GET', `${door}/events?from=nonsense`)).status).toBe(400);
  });
});

describe('the end of a session', () => {
  it.each([V1, ALPHA])('can be asked for at %s, for one device or all', async (door) => {
    const [one, other, third] = [await alice.logIn(), await alice.logIn(), await alice.logIn()];
    await one.ok('POST', `${door}/logout`);
    expect((await one.call('GET', `${V1}/initialSync`)).body.errcode).toBe('M_UNKNOWN_TOKEN');
    expect((await other.call('GET', `${V1}/initialSync`)).status).toBe(200);
    await other.ok('POST', `${door}/logout/all`, {});
    expect((await third.call('GET', `${V1}/initialSync`)).status).toBe(401);
    alice = await alice.logIn();
    expect((await app.call('POST', `${door}/logout`)).body.errcode).toBe('M_MISSING_TOKEN');
  });
});

describe('a guest in the API of 2015', () => {
  it('may do what guests may today, and nothing else', async () => {
    const guest = await registerGuest(TODAY);
    const roomId = await alice.createRoom({
      preset: 'public_chat',
      initial_state: [{ type: 'm.room.guest_access', content: { guest_access: 'can_join' } }],
      power_level_content_override: { state_default: 0 },
    });
    const path = roomPath(roomId);
    const allowed = async (method: 'GET' | 'PUT' | 'POST', at: string, body?: unknown): Promise<void> => {
      expect([at, (await guest.v1(method, at, body)).status]).toEqual([at, 200]);
    };
    await allowed('POST', `/join/${encodeURIComponent(roomId)}`, {});
    await allowed('PUT', `${path}/send/m.room.message/1`, { msgtype: 'm.text', body: 'hello' });
    await allowed('POST', `${path}/send/m.room.message`, { msgtype: 'm.text', body: 'again' });
    await allowed('PUT', `${path}/state/org.example.x/key`, { x: 1 });
    for (const read of ['state', 'state/org.example.x/key', 'members', 'messages?limit=5', 'initialSync']) {
      await allowed('GET', `${path}/${read}`);
    }
    await allowed('GET', '/events?timeout=0');
    await allowed('GET', '/initialSync');
    await allowed('PUT', `/profile/${encodeURIComponent(guest.userId)}/displayname`, { displayname: 'Guest' });

    const refused = async (method: 'PUT' | 'POST', at: string, body: object): Promise<void> => {
      const answer = await guest.v1(method, at, body);
      expect([at, answer.status, answer.body.errcode]).toEqual([at, 403, 'M_GUEST_ACCESS_FORBIDDEN']);
    };
    for (const action of ['invite', 'kick', 'ban', 'unban']) {
      await refused('POST', `${path}/${action}`, { user_id: alice.userId });
      await refused('PUT', `${path}/${action}/1`, { user_id: alice.userId });
    }
    await refused('POST', `${path}/forget`, {});
    await refused('POST', '/createRoom', {});
    await refused('POST', `${path}/redact/$x`, {});
    await refused('PUT', `/directory/room/${encodeURIComponent('#x:a.example')}`, { room_id: roomId });
    await allowed('POST', `${path}/leave`, {});
    const closed = await alice.createRoom({ preset: 'public_chat' });
    expect((await guest.v1('POST', `/join/${encodeURIComponent(closed)}`, {})).status).toBe(403);
    await allowed('POST', '/logout');
  });
});
