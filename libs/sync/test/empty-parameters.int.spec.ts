import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let roomId: string;
let eventId: string;

beforeAll(async () => {
  app = await SyncApp.start();
  alice = await app.register('alice');
  roomId = await alice.createRoom({ preset: 'public_chat', visibility: 'public' });
  eventId = await alice.send(roomId, 'hello');
});
afterAll(() => app.close());

const TODAY = '/_matrix/client/v3';
const RECENT = '/_matrix/client/v1';
const V1 = '/_matrix/client/api/v1';

describe('a parameter that is there and empty is as one that is left out', () => {
  it.each([
    [`${TODAY}/sync`, ['since', 'filter', 'timeout', 'full_state', 'set_presence', 'use_state_after']],
    [`${TODAY}/events`, ['from', 'timeout', 'limit', 'room_id']],
    [`${TODAY}/initialSync`, ['limit', 'archived']],
    [`${TODAY}ROOM/messages?dir=b`, ['from', 'to', 'filter', 'limit']],
    [`${TODAY}ROOM/context/EVENT`, ['filter', 'limit']],
    [`${TODAY}ROOM/members`, ['at', 'membership', 'not_membership']],
    [`${TODAY}ROOM/state/m.room.create`, ['format']],
    [`${TODAY}/publicRooms`, ['since', 'server', 'limit']],
    [`${RECENT}ROOM/relations/EVENT`, ['from', 'to', 'limit', 'dir', 'recurse']],
    [`${RECENT}ROOM/threads`, ['from', 'limit', 'include']],
    [`${RECENT}ROOM/hierarchy`, ['from', 'limit', 'max_depth', 'suggested_only']],
    [`${V1}/events`, ['from', 'to', 'filter', 'limit', 'dir', 'timeout', 'room_id']],
    [`${V1}/initialSync`, ['filter', 'limit', 'archived']],
    [`${V1}ROOM/messages`, ['from', 'to', 'limit', 'dir']],
    [`${V1}ROOM/members`, ['from', 'to', 'limit']],
  ])('%s: %j', async (template, names) => {
    const path = template.replace('ROOM', roomPath(roomId)).replace('EVENT', encodeURIComponent(eventId));
    const without = await app.call('GET', path, alice.token);
    expect(without).toMatchObject({ status: 200 });
    for (const name of names) {
      const answer = await app.call('GET', `${path}${path.includes('?') ? '&' : '?'}${name}=`, alice.token);
      expect([name, answer.status, Object.keys(answer.body)]).toEqual([name, 200, Object.keys(without.body)]);
    }
  });

  it.each([
    [`${TODAY}ROOM/messages`, 'dir'],
    [`${TODAY}/keys/changes?to=s1`, 'from'],
    [`${TODAY}/room_keys/keys`, 'version'],
    [`${TODAY}/register/available`, 'username'],
    [`${RECENT}ROOM/timestamp_to_event?dir=f`, 'ts'],
  ])('also one that must be there: %s, %s', async (template, name) => {
    const path = template.replace('ROOM', roomPath(roomId));
    const without = await app.call('GET', path, alice.token);
    expect(without).toMatchObject({ status: 400, body: { errcode: 'M_MISSING_PARAM' } });
    expect(await app.call('GET', `${path}${path.includes('?') ? '&' : '?'}${name}=`, alice.token)).toEqual(without);
  });

  it('in a search of the directory too', async () => {
    const { status, body } = await app.call('POST', `${TODAY}/publicRooms?server=`, alice.token, { since: '' });
    expect(status).toBe(200);
    expect(body.chunk).toMatchObject([{ room_id: roomId }]);
  });
});

describe('a membership that there is not', () => {
  it.each(['membership', 'not_membership'])('is refused, not taken for one that nobody has: %s', async (name) => {
    const { status, body } = await app.call('GET', `${TODAY}${roomPath(roomId)}/members?${name}=gone`, alice.token);
    expect([status, body.errcode]).toEqual([400, 'M_INVALID_PARAM']);
  });
});
