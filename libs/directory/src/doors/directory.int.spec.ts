import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RoomsAnswer, type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

let app: RoomsApp;
let alice: TestUser;
let bob: TestUser;

beforeAll(async () => {
  app = await startRoomsApp();
  alice = await app.register('alice');
  bob = await app.register('bob');
});
afterAll(() => app.close());

function shape({ status, body }: RoomsAnswer): [number, string] {
  return [status, body.errcode];
}

const aliasPath = (alias: string): string => `/directory/room/${encodeURIComponent(alias)}`;

describe('the door to an alias', () => {
  it('tells why there is none', async () => {
    const lobby = '#lobby:a.example';
    const room_id = await alice.createRoom({ preset: 'public_chat' });
    expect(shape(await alice.call('GET', aliasPath(lobby)))).toEqual([404, 'M_NOT_FOUND']);
    expect(shape(await alice.call('GET', aliasPath('lobby')))).toEqual([400, 'M_INVALID_PARAM']);
    expect(shape(await alice.call('PUT', aliasPath(lobby), {}))).toEqual([400, 'M_MISSING_PARAM']);
    expect(shape(await alice.call('PUT', aliasPath(lobby), { room_id: 'lobby' }))).toEqual([400, 'M_INVALID_PARAM']);
    expect(shape(await alice.call('PUT', aliasPath(lobby), { room_id: '!none:a.example' }))).toEqual([
      403,
      'M_FORBIDDEN',
    ]);
    expect(shape(await alice.call('PUT', aliasPath('#x:else.example'), { room_id }))).toEqual([400, 'M_INVALID_PARAM']);
    expect(shape(await bob.call('PUT', aliasPath(lobby), { room_id }))).toEqual([403, 'M_FORBIDDEN']);
    await alice.ok('PUT', aliasPath(lobby), { room_id });
    expect(shape(await alice.call('PUT', aliasPath(lobby), { room_id }))).toEqual([409, 'M_UNKNOWN']);
    expect(shape(await bob.call('DELETE', aliasPath(lobby)))).toEqual([403, 'M_FORBIDDEN']);
    expect(shape(await alice.call('DELETE', aliasPath('#none:a.example')))).toEqual([404, 'M_NOT_FOUND']);
  });

  it('needs no token to look behind, and knows any character', async () => {
    const alias = '#ünïcode/%?:a.example';
    const room_id = await alice.createRoom();
    await alice.ok('PUT', aliasPath(alias), { room_id });
    const found = await app.call('GET', `/_matrix/client/v3${aliasPath(alias)}`);
    expect(found.body).toEqual({ room_id, servers: ['a.example'] });
    expect(shape(await app.call('DELETE', `/_matrix/client/v3${aliasPath(alias)}`))).toEqual([401, 'M_MISSING_TOKEN']);
  });
});

/** "They are case-insensitive": the specification of 2014 and 2015, "Room Aliases". */
describe('the case of an alias', () => {
  const v1 = (alias: string): string => `/_matrix/client/api/v1${aliasPath(alias)}`;
  const join = (idOrAlias: string): string => `/join/${encodeURIComponent(idOrAlias)}`;

  it('makes no difference for who asks, by either door, and stays as it was written', async () => {
    const room_id = await alice.createRoom({ preset: 'public_chat', room_alias_name: 'ThePub' });
    const spelled = '#ThePub:a.example';
    for (const alias of [spelled, '#thepub:a.example', '#THEPUB:a.example']) {
      expect((await bob.ok('GET', aliasPath(alias))).room_id).toBe(room_id);
      expect((await bob.ok('GET', v1(alias))).room_id).toBe(room_id);
      expect((await bob.ok('POST', join(alias))).room_id).toBe(room_id);
      expect((await bob.ok('POST', `/_matrix/client/api/v1${join(alias)}`)).room_id).toBe(room_id);
      expect((await bob.ok('GET', `/_matrix/client/v1/room_summary/${encodeURIComponent(alias)}`)).room_id).toBe(
        room_id,
      );
      expect(shape(await alice.call('PUT', aliasPath(alias), { room_id }))).toEqual([409, 'M_UNKNOWN']);
      expect((await alice.call('PUT', v1(alias), { room_id })).status).toBe(409);
    }
    const again = { room_alias_name: 'thePUB' };
    expect(shape(await bob.call('POST', '/createRoom', again))).toEqual([400, 'M_ROOM_IN_USE']);
    expect(shape(await bob.call('POST', '/_matrix/client/api/v1/createRoom', again))).toEqual([400, 'M_ROOM_IN_USE']);
    expect(await alice.ok('GET', `/rooms/${room_id}/aliases`)).toEqual({ aliases: [spelled] });
    expect((await alice.ok('GET', `/rooms/${room_id}/state/m.room.canonical_alias`)).alias).toBe(spelled);
    const { chunk } = await alice.ok('GET', '/_matrix/client/api/v1/publicRooms');
    await alice.ok('PUT', `/directory/list/room/${room_id}`, { visibility: 'public' });
    const listed = (await alice.ok('GET', '/_matrix/client/api/v1/publicRooms')).chunk;
    expect(listed.length).toBe(chunk.length + 1);
    expect(listed.find((room: { room_id: string }) => room.room_id === room_id).aliases).toEqual([spelled]);
  });

  it('makes no difference for the canonical alias, which goes with the alias that is deleted', async () => {
    const room_id = await alice.createRoom({ room_alias_name: 'Lounge' });
    const content = { alias: '#LOUNGE:a.example', alt_aliases: ['#lounge:a.example', '#Lounge:a.example'] };
    await alice.ok('PUT', `/rooms/${room_id}/state/m.room.canonical_alias`, content);
    expect(await alice.ok('GET', `/rooms/${room_id}/state/m.room.canonical_alias`)).toEqual(content);
    await alice.ok('DELETE', v1('#lOUNGE:a.example'));
    expect(await alice.ok('GET', `/rooms/${room_id}/state/m.room.canonical_alias`)).toEqual({ alt_aliases: [] });
    expect((await bob.call('GET', aliasPath('#Lounge:a.example'))).status).toBe(404);
  });

  it('stays with an alias that moves to the room that replaces its own', async () => {
    const room_id = await alice.createRoom({ room_alias_name: 'Attic' });
    await alice.ok('PUT', `/rooms/${room_id}/state/m.room.canonical_alias`, { alias: '#attic:a.example' });
    const { replacement_room: next } = await alice.ok('POST', `/rooms/${room_id}/upgrade`, { new_version: '11' });
    expect((await bob.ok('GET', aliasPath('#ATTIC:a.example'))).room_id).toBe(next);
    expect(await alice.ok('GET', `/rooms/${next}/aliases`)).toEqual({ aliases: ['#Attic:a.example'] });
    const canonical = await alice.ok('GET', `/rooms/${next}/state/m.room.canonical_alias`);
    expect(canonical).toEqual({ alias: '#attic:a.example' });
  });
});

describe('the aliases of a room', () => {
  it('are for members, and for everybody where everybody may read', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat', room_alias_name: 'members' });
    const path = `/rooms/${roomId}/aliases`;
    expect(shape(await bob.call('GET', path))).toEqual([403, 'M_FORBIDDEN']);
    await bob.ok('POST', `/rooms/${roomId}/join`);
    expect(await bob.ok('GET', path)).toEqual({ aliases: ['#members:a.example'] });
    await bob.ok('POST', `/rooms/${roomId}/leave`);
    expect(shape(await bob.call('GET', path))).toEqual([403, 'M_FORBIDDEN']);
    const visibility = { history_visibility: 'world_readable' };
    await alice.ok('PUT', `/rooms/${roomId}/state/m.room.history_visibility`, visibility);
    expect(await bob.ok('GET', path)).toEqual({ aliases: ['#members:a.example'] });
  });
});

describe('what a room is like', () => {
  it('is told by its summary and in a space alike: a join rule that its version does not know opens nothing', async () => {
    const cases = [
      ['6', 'knock', 404],
      ['7', 'knock', 200],
      ['9', 'knock_restricted', 404],
      ['10', 'knock_restricted', 200],
      ['6', 'restricted', 404],
      ['11', 'invite', 404],
    ] as const;
    for (const [room_version, join_rule, status] of cases) {
      const rule = { type: 'm.room.join_rules', state_key: '', content: { join_rule } };
      const room_id = await alice.createRoom({ room_version, name: 'secret', initial_state: [rule] });
      const [summary, hierarchy] = [`room_summary/${room_id}`, `rooms/${room_id}/hierarchy`];
      expect((await bob.call('GET', `/_matrix/client/v1/${summary}`)).status, `${room_version} ${join_rule}`).toBe(status); // prettier-ignore
      expect((await app.call('GET', `/_matrix/client/v1/${summary}`)).status).toBe(status);
      expect((await bob.call('GET', `/_matrix/client/v1/${hierarchy}`)).status).toBe(status === 404 ? 403 : 200);
    }
  });

  it('is told to nobody who is banned, unless the world may read it', async () => {
    const room_id = await alice.createRoom({ preset: 'public_chat' });
    await alice.ok('POST', `/rooms/${room_id}/ban`, { user_id: bob.userId });
    const statuses = async (): Promise<number[]> => {
      const paths = [`room_summary/${room_id}`, `rooms/${room_id}/hierarchy`];
      const answers = await Promise.all(paths.map((path) => bob.call('GET', `/_matrix/client/v1/${path}`)));
      return answers.map(({ status }) => status);
    };
    expect(await statuses()).toEqual([404, 403]);
    const visibility = { history_visibility: 'world_readable' };
    await alice.ok('PUT', `/rooms/${room_id}/state/m.room.history_visibility`, visibility);
    expect(await statuses()).toEqual([200, 200]);
    expect((await bob.ok('GET', `/_matrix/client/v1/room_summary/${room_id}`)).membership).toBe('ban');
  });

  it('is told at the paths it had before it was specified, with the names of then and of now', async () => {
    const encryption = { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } };
    const room_id = await alice.createRoom({
      preset: 'public_chat',
      room_version: '11',
      room_alias_name: 'summed-up',
      initial_state: [encryption],
    });
    const alias = encodeURIComponent('#summed-up:a.example');
    const told = await bob.ok('GET', `/_matrix/client/v1/room_summary/${alias}`);
    expect(told).toMatchObject({
      room_id,
      membership: 'leave',
      encryption: 'm.megolm.v1.aes-sha2',
      room_version: '11',
    });
    const unstable = '/_matrix/client/unstable/im.nheko.summary';
    for (const path of [
      `summary/${room_id}`,
      `summary/${alias}?via=a.example&via=b.example`,
      `rooms/${alias}/summary`,
    ]) {
      expect(await bob.ok('GET', `${unstable}/${path}`)).toEqual({
        ...told,
        'im.nheko.summary.encryption': 'm.megolm.v1.aes-sha2',
        'im.nheko.summary.room_version': '11',
      });
    }
    const { membership: _, ...toAnybody } = told;
    expect((await app.call('GET', `${unstable}/summary/${alias}`)).body).toMatchObject(toAnybody);
    expect(shape(await app.call('GET', `${unstable}/rooms/${encodeURIComponent('!none')}/summary`))[0]).toBe(404);
  });

  it('names the rooms that let in only where its join rule means them, and only those that let in', async () => {
    const other = await alice.createRoom();
    const allow = [
      { type: 'm.room_membership', room_id: other },
      { type: 'org.example.payment', room_id: '!shop:a.example' },
    ];
    const summaryWith = async (join_rule: string): Promise<RoomsAnswer['body']> => {
      const rules = { type: 'm.room.join_rules', state_key: '', content: { join_rule, allow } };
      const room_id = await alice.createRoom({ initial_state: [rules] });
      return alice.ok('GET', `/_matrix/client/v1/room_summary/${room_id}`);
    };
    expect((await summaryWith('restricted')).allowed_room_ids).toEqual([other]);
    expect((await summaryWith('public')).allowed_room_ids).toBeUndefined();
  });
});

describe('the list of public rooms', () => {
  it('is open to everybody to read, and to members to search', async () => {
    const path = '/_matrix/client/v3/publicRooms';
    expect((await app.call('GET', `${path}?limit=1`)).status).toBe(200);
    expect((await app.call('POST', path, { body: {} })).status).toBe(401);
    expect(shape(await alice.call('GET', '/publicRooms?limit=-1'))).toEqual([400, 'M_INVALID_PARAM']);
    expect(shape(await alice.call('GET', '/publicRooms?since=x'))).toEqual([400, 'M_INVALID_PARAM']);
    expect(shape(await alice.call('GET', '/publicRooms?server=else.example'))).toEqual([404, 'M_NOT_FOUND']);
    expect((await alice.call('GET', '/publicRooms?server=a.example')).status).toBe(200);
    expect((await alice.call('POST', '/publicRooms', { limit: 1e9, filter: { room_types: [null] } })).status).toBe(200);
  });

  it('is searched for all that is asked for, or not at all', async () => {
    await alice.createRoom({ visibility: 'public' });
    const search = (body: object): Promise<RoomsAnswer> => alice.call('POST', '/publicRooms', body);
    for (const filter of [{ room_types: 'x' }, { room_types: [1] }, { generic_search_term: 5 }]) {
      expect(shape(await search({ filter }))).toEqual([400, 'M_BAD_JSON']);
    }
    // There is no other network here, whatever it is called, and its rooms are not those of this one.
    for (const id of ['irc', 'x'.repeat(3000)]) {
      expect((await search({ third_party_instance_id: id })).body).toEqual({ chunk: [], total_room_count_estimate: 0 });
    }
    const both = { third_party_instance_id: 'irc', include_all_networks: true };
    expect(shape(await search(both))).toEqual([400, 'M_INVALID_PARAM']);
    const all = await search({ include_all_networks: true, filter: { generic_search_term: null } });
    expect(all.body.chunk).not.toEqual([]);
  });

  it('is changed by those who may, for rooms there are', async () => {
    const roomId = await alice.createRoom();
    const listing = '/directory/list/room';
    expect(shape(await alice.call('GET', `${listing}/!none:a.example`))).toEqual([404, 'M_NOT_FOUND']);
    expect(shape(await alice.call('PUT', `${listing}/!none:a.example`, {}))).toEqual([404, 'M_NOT_FOUND']);
    expect(shape(await bob.call('PUT', `${listing}/${roomId}`, {}))).toEqual([403, 'M_FORBIDDEN']);
    expect(shape(await alice.call('PUT', `${listing}/${roomId}`, { visibility: 'x' }))).toEqual([400, 'M_BAD_JSON']);
    await alice.ok('PUT', `${listing}/${roomId}`, {});
    expect(await alice.ok('GET', `${listing}/${roomId}`)).toEqual({ visibility: 'public' });
  });
});
