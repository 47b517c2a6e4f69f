import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RoomAlias, UserId } from '#kernel/ids';
import { ALIASES } from '#directory/projections/directory.projector';
import type { JsonObject } from '#kernel/json';
import { ForkedRoom } from '#testing/forked-room';
import { ALICE, LocalRoom } from '#testing/local-room';
import { ServingApp } from '../../test/serving-app.js';
import { SERVING_DOORS, SERVING_PROVIDERS } from '../serving/serving-providers.js';

const CAROL = '@carol:b.example' as UserId;
const ALIAS = '#room:a.example' as RoomAlias;

let app: ServingApp;

beforeAll(async () => {
  app = await ServingApp.start(SERVING_DOORS, SERVING_PROVIDERS);
});
afterAll(() => app.close());

async function roomNamed(name: string, rules: JsonObject = { join_rule: 'public' }): Promise<LocalRoom> {
  const room = await LocalRoom.begin(app.log, '11', name);
  await room.setState('m.room.join_rules', rules);
  await room.setState('m.room.name', { name });
  return room;
}

/** Changes what the views say of a room. */
async function describeAs(room: LocalRoom, more: JsonObject): Promise<void> {
  await app.views.follow();
  const row = { collection: 'rooms', key: [room.roomId] } as const;
  const summary = JSON.parse((await app.views.get(row.collection, row.key)) ?? '{}') as object;
  await app.views.store.write([{ ...row, value: JSON.stringify({ ...summary, ...more }) }]);
}

describe('GET /query/profile', () => {
  const profile = { displayname: 'Alice', 'm.tz': 'Europe/Rome' };
  const limited = [['org.example.pet', { readers: ['rooms', '@carol:b.example'], value: 'cat' }]];
  beforeAll(() =>
    app.views.store.write([
      { collection: 'profiles', key: [ALICE], value: JSON.stringify(profile) },
      { collection: 'limited-profile-fields', key: [ALICE], value: JSON.stringify(limited) },
    ]),
  );
  const ask = (query: string) => app.ask('b.example', `/query/profile?${query}`);

  it('gives all of the profile of a user here, or the field that is asked for', async () => {
    expect(await ask(`user_id=${ALICE}`)).toMatchObject({ status: 200, body: profile });
    expect((await ask(`user_id=${ALICE}&field=displayname`)).body).toEqual({ displayname: 'Alice' });
    expect((await ask(`user_id=${ALICE}&field=avatar_url`)).body).toEqual({});
    const field = 'm.profile.display_name';
    expect((await ask(`user_id=${ALICE}&field=${field}`)).body).toEqual({ [field]: 'Alice' });
  });

  it('gives no server what not everybody may read: it does not say for whom it asks, and may tell everybody', async () => {
    expect((await ask(`user_id=${ALICE}`)).body).toEqual(profile);
    expect(await ask(`user_id=${ALICE}&field=org.example.pet`)).toMatchObject({ status: 404 });
  });

  it('knows nobody else', async () => {
    expect(await ask('user_id=@nobody:a.example')).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
    expect(await ask(`user_id=${ALICE}&field=none`)).toMatchObject({ status: 404 });
    expect(await ask(`user_id=${CAROL}`)).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
    expect(await ask('')).toMatchObject({ status: 400, body: { errcode: 'M_MISSING_PARAM' } });
  });
});

it('GET /query/directory says where an alias points, and which servers are there', async () => {
  const room = await roomNamed('aliased');
  await new ForkedRoom(app.log, room).join(CAROL);
  const row = { alias: ALIAS, room_id: room.roomId, creator: ALICE };
  await app.views.store.write([{ collection: ALIASES.name, key: [ALIAS], value: JSON.stringify(row) }]);
  const ask = (alias: string) => app.ask('c.example', `/query/directory?room_alias=${encodeURIComponent(alias)}`);
  const servers = ['a.example', 'b.example'];
  expect((await ask(ALIAS)).body).toEqual({ room_id: room.roomId, servers });
  expect(await ask('#none:a.example')).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
  expect((await ask('none')).status).toBe(400);
});

describe('/publicRooms', () => {
  it('lists the rooms that are published here, all or those that are searched for', async () => {
    for (const name of ['apples', 'pears']) await (await roomNamed(name)).list();
    const namesOf = (body: { chunk: { name: string }[] }): string[] => body.chunk.map(({ name }) => name).toSorted();
    expect(namesOf((await app.ask('c.example', '/publicRooms')).body)).toEqual(['apples', 'pears']);
    const filter = { generic_search_term: 'pear' };
    expect(namesOf((await app.ask('c.example', '/publicRooms', { filter, limit: 5 })).body)).toEqual(['pears']);
    const { body } = await app.ask('c.example', '/publicRooms?limit=1');
    expect([body.chunk.length, body.total_room_count_estimate]).toEqual([1, 2]);
    const next = await app.ask('c.example', `/publicRooms?limit=1&since=${body.next_batch}`);
    expect(next.body.chunk).toHaveLength(1);
    expect((await app.ask('c.example', '/publicRooms', { limit: 'x' })).status).toBe(400);
    expect((await app.ask('c.example', '/publicRooms?third_party_instance_id=irc')).body.chunk).toEqual([]);
  });

  it('lists none that only users of this server can be in', async () => {
    const room = await roomNamed('among ourselves');
    await room.list();
    const filter = { generic_search_term: 'among' };
    const count = async (): Promise<unknown> => {
      const { body } = await app.ask('c.example', '/publicRooms', { filter });
      return [body.chunk.length, body.total_room_count_estimate];
    };
    expect(await count()).toEqual([1, 1]);
    await describeAs(room, { federate: false });
    expect(await count()).toEqual([0, 0]);
  });
});

describe('GET /hierarchy', () => {
  async function space() {
    const room = await roomNamed('space');
    const [open, closed] = [await roomNamed('open'), await roomNamed('closed', { join_rule: 'invite' })];
    const child = (roomId: string, content: JsonObject) => room.setState('m.space.child', content, roomId);
    const via = ['a.example'];
    await child(open.roomId, { via, suggested: true });
    await child(closed.roomId, { via });
    await child('!elsewhere:z.example', { via });
    return { room, open, closed };
  }

  it('tells of the rooms of a space that the server may know of, and names the others that are here', async () => {
    const { room, open, closed } = await space();
    await describeAs(room, { type: 'm.space' });
    const at = encodeURIComponent(room.roomId);
    const { status, body } = await app.ask('b.example', `/hierarchy/${at}`);
    expect(status).toBe(200);
    expect(body.room).toMatchObject({ room_id: room.roomId, name: 'space', room_type: 'm.space' });
    const named = (body.room.children_state as { state_key: string }[]).map(({ state_key: key }) => key).toSorted();
    expect(named).toEqual([open.roomId, closed.roomId, '!elsewhere:z.example'].toSorted());
    expect(body.children).toMatchObject([{ room_id: open.roomId, name: 'open' }]);
    expect(body.inaccessible_children).toEqual([closed.roomId]);
    const suggested = (await app.ask('b.example', `/hierarchy/${at}?suggested_only=true`)).body;
    expect([suggested.room.children_state.length, suggested.inaccessible_children]).toEqual([1, []]);
  });

  it('tells of no room that only users of this server can be in', async () => {
    const room = await roomNamed('ours', { join_rule: 'public' });
    await room.setState('m.room.history_visibility', { history_visibility: 'world_readable' });
    const ask = async (): Promise<number> =>
      (await app.ask('c.example', `/hierarchy/${encodeURIComponent(room.roomId)}`)).status;
    expect(await ask()).toBe(200);
    await describeAs(room, { federate: false });
    expect(await ask()).toBe(404);
  });

  it('tells a server of a restricted room only where it is in one of those that let in', async () => {
    const let_in = await roomNamed('lets-in', { join_rule: 'invite' });
    const allow = [{ type: 'm.room_membership', room_id: let_in.roomId }];
    const room = await roomNamed('restricted', { join_rule: 'restricted', allow });
    const ask = async (): Promise<number> =>
      (await app.ask('b.example', `/hierarchy/${encodeURIComponent(room.roomId)}`)).status;
    expect(await ask()).toBe(404);
    await let_in.setMembership(CAROL, 'invite', ALICE);
    await new ForkedRoom(app.log, let_in).join(CAROL);
    expect(await ask()).toBe(200);
    await room.setState('m.room.server_acl', { allow: ['*'], deny: ['b.example'] });
    expect(await ask()).toBe(404);
  });
});

it('of a room that all of this server have left nothing is told as of now, and its history to who had a part in it', async () => {
  const room = await roomNamed('left');
  await new ForkedRoom(app.log, room).join(CAROL);
  const { eventId: said } = await room.say('while both were there');
  const at = encodeURIComponent(room.roomId);
  const asked = [`/hierarchy/${at}`, `/timestamp_to_event/${at}?ts=1&dir=f`, `/event/${encodeURIComponent(said)}`];
  const statuses = () => Promise.all(asked.map(async (path) => (await app.ask('b.example', path)).status));
  expect(await statuses()).toEqual([200, 200, 200]);
  await room.setMembership(ALICE, 'leave');
  expect(await statuses()).toEqual([404, 404, 200]);
});

it('GET /timestamp_to_event finds the closest event that the server may see', async () => {
  const room = await roomNamed('times');
  await room.setState('m.room.history_visibility', { history_visibility: 'joined' });
  const hidden = await room.say('hidden');
  const joined = await new ForkedRoom(app.log, room).join(CAROL);
  const seen = await room.say('seen');
  const at = encodeURIComponent(room.roomId);
  const ask = (server: string, ts: number, dir: string) =>
    app.ask(server, `/timestamp_to_event/${at}?ts=${ts}&dir=${dir}`);
  const { body } = await ask('b.example', seen.originServerTs, 'b');
  expect(body).toEqual({ event_id: seen.eventId, origin_server_ts: seen.originServerTs });
  const after = (await ask('b.example', hidden.originServerTs, 'f')).body.event_id;
  expect([joined.eventId, seen.eventId]).toContain(after);
  expect((await ask('b.example', 5_000_000_000_000, 'f')).status).toBe(404);
  expect((await ask('c.example', seen.originServerTs, 'b')).status).toBe(403);
  expect((await app.ask('b.example', `/timestamp_to_event/${at}?dir=b`)).status).toBe(400);
});
