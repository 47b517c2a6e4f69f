import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registerAdmin, SHARED_SECRET } from '#testing/register-admin';
import { type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

let app: RoomsApp;
let admin: string;
let alice: TestUser;
let bob: TestUser;

beforeEach(async () => {
  app = await startRoomsApp([], { ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET });
  admin = await registerAdmin(app);
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
});
afterEach(() => app.close());

const redact = (token: string, user: string, body: object): ReturnType<RoomsApp['call']> =>
  app.call('POST', `/_synapse/admin/v1/user/${encodeURIComponent(user)}/redact`, { token, body });
const statusOf = async (id: string, token = admin): Promise<unknown> =>
  (await app.call('GET', `/_synapse/admin/v1/user/redact_status/${id}`, { token })).body;

let transactions = 0;
const say = async (who: TestUser, room: string, body: string): Promise<string> =>
  (await who.ok('PUT', `/rooms/${room}/send/m.room.message/t${transactions++}`, { msgtype: 'm.text', body })).event_id;
const bodyOf = async (room: string, id: string): Promise<unknown> =>
  (await alice.ok('GET', `/rooms/${room}/event/${id}`)).content.body;

describe('POST /_synapse/admin/v1/user/{userId}/redact', () => {
  it('redacts what a user wrote, in the rooms that are named or all of theirs, and says how far it is', async () => {
    const rooms = [
      await alice.createRoom({ preset: 'public_chat' }),
      await alice.createRoom({ preset: 'public_chat' }),
    ];
    for (const room of rooms) await bob.ok('POST', `/join/${room}`, {});
    const [one, two] = rooms as [string, string];
    const said = [await say(bob, one, 'a'), await say(bob, one, 'b'), await say(bob, two, 'c')];
    const others = await say(alice, one, 'of alice');
    const first = await redact(admin, bob.userId, { rooms: [one], reason: 'spam', limit: 1 });
    expect(first.status).toBe(200);
    const done = { status: 'complete', failed_redactions: {} };
    await expect.poll(() => statusOf(first.body.redact_id)).toEqual(done);
    expect([await bodyOf(one, said[0]!), await bodyOf(one, said[1]!)]).toEqual(['a', undefined]);
    const { unsigned } = await alice.ok('GET', `/rooms/${one}/event/${said[1]}`);
    expect(unsigned.redacted_because.content.reason).toBe('spam');
    const all = await redact(admin, bob.userId, { rooms: [] });
    await expect.poll(() => statusOf(all.body.redact_id)).toEqual(done);
    expect(await Promise.all([bodyOf(one, said[0]!), bodyOf(two, said[2]!), bodyOf(one, others)])).toEqual([
      undefined,
      undefined,
      'of alice',
    ]);
  });

  it('redacts what was sent in a time alone, where one is named, its ends among it', async () => {
    const room = await alice.createRoom({ preset: 'public_chat' });
    const said: string[] = [];
    const at: number[] = [];
    for (const body of ['a', 'b', 'c']) {
      // No two of them are sent at one time.
      await expect.poll(() => Date.now()).toBeGreaterThan(at.at(-1) ?? 0);
      said.push(await say(alice, room, body));
      at.push((await alice.ok('GET', `/rooms/${room}/event/${said.at(-1)}`)).origin_server_ts);
    }
    const left = async (wanted: object): Promise<unknown[]> => {
      const { body } = await redact(admin, alice.userId, { rooms: [room], ...wanted });
      await expect.poll(() => statusOf(body.redact_id)).toMatchObject({ status: 'complete' });
      return Promise.all(said.map((id) => bodyOf(room, id)));
    };
    expect(await left({ before_ts: at[0]! - 1 })).toEqual(['a', 'b', 'c']);
    expect(await left({ after_ts: at[2]! + 1 })).toEqual(['a', 'b', 'c']);
    expect(await left({ after_ts: at[1]!, before_ts: at[1]!, limit: 1 })).toEqual(['a', undefined, 'c']);
    expect(await left({ before_ts: at[1]! })).toEqual([undefined, undefined, 'c']);
  });

  it('is for administrators alone, and refuses what is no such request', async () => {
    expect((await redact(bob.token, alice.userId, { rooms: [] })).body.errcode).toBe('M_FORBIDDEN');
    expect(await statusOf('x', bob.token)).toMatchObject({ errcode: 'M_FORBIDDEN' });
    expect(await statusOf('x')).toMatchObject({ errcode: 'M_NOT_FOUND' });
    for (const body of [
      {},
      { rooms: 'x' },
      { rooms: ['x'] },
      { rooms: [], limit: 0 },
      { rooms: [], reason: 1 },
      { rooms: [], before_ts: 'now' },
    ])
      expect([body, (await redact(admin, alice.userId, body)).status]).toEqual([body, 400]);
    expect((await redact(admin, 'nobody', { rooms: [] })).status).toBe(400);
  });
});
