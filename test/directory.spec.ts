import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client, Homeserver } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';
import { path, refusal, startWithThreeUsers, type ThreeUsers } from './support/three-users.js';

describeWithStores('how rooms are found, over HTTP', (stores) => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;
  let carol: Client;
  let publicRoom: ThreeUsers['publicRoom'];

  beforeAll(async () => {
    ({ server, alice, bob, carol, publicRoom } = await startWithThreeUsers(stores));
  });
  afterAll(() => server.remove());

  test('aliases are made, found, listed and taken away', async () => {
    const alias = `#lobby:${server.serverName}`;
    const at = `/directory/room/${encodeURIComponent(alias)}`;
    const roomId = await publicRoom();
    expect(refusal(await alice.request('GET', at))).toEqual([404, 'M_NOT_FOUND']);
    expect(await alice.ok('PUT', at, { room_id: roomId })).toEqual({});
    expect(refusal(await alice.request('PUT', at, { room_id: roomId }))).toEqual([409, 'M_UNKNOWN']);
    expect(await server.request('GET', `/_matrix/client/v3${at}`)).toMatchObject({
      status: 200,
      body: { room_id: roomId, servers: [server.serverName] },
    });
    expect(await carol.ok('POST', `/join/${encodeURIComponent(alias)}`)).toEqual({ room_id: roomId });
    expect(await bob.ok('GET', path(roomId, 'aliases'))).toEqual({ aliases: [alias] });
    expect(refusal(await bob.request('DELETE', at))).toEqual([403, 'M_FORBIDDEN']);
    await alice.ok('DELETE', at);
    expect(refusal(await alice.request('GET', at))).toEqual([404, 'M_NOT_FOUND']);
    expect(await alice.ok('GET', path(roomId, 'aliases'))).toEqual({ aliases: [] });
    await bob.ok('PUT', at, { room_id: roomId });
    await alice.ok('DELETE', at);
    expect(refusal(await alice.request('DELETE', at))).toEqual([404, 'M_NOT_FOUND']);
    const foreign = encodeURIComponent('#lobby:elsewhere.example');
    expect(refusal(await alice.request('PUT', `/directory/room/${foreign}`, { room_id: roomId }))[0]).toBe(400);
    const named = await alice.createRoom({ room_alias_name: 'named' });
    expect(await alice.ok('GET', `/directory/room/${encodeURIComponent(`#named:${server.serverName}`)}`)).toMatchObject(
      {
        room_id: named,
      },
    );
    expect(refusal(await alice.request('POST', '/createRoom', { room_alias_name: 'named' }))).toEqual([
      400,
      'M_ROOM_IN_USE',
    ]);
  });

  test('the public directory lists rooms that want it, and finds them', async () => {
    const shown = await publicRoom({ name: 'Gardeners', topic: 'Roses' });
    const listing = `/directory/list/room/${encodeURIComponent(shown)}`;
    expect(await bob.ok('GET', listing)).toEqual({ visibility: 'private' });
    expect(refusal(await bob.request('PUT', listing, { visibility: 'public' }))).toEqual([403, 'M_FORBIDDEN']);
    await alice.ok('PUT', listing, { visibility: 'public' });
    expect(await bob.ok('GET', listing)).toEqual({ visibility: 'public' });
    const space = await alice.createRoom({
      preset: 'public_chat',
      visibility: 'public',
      creation_content: { type: 'm.space' },
      name: 'Space of roses',
    });
    const find = async (filter: object) => {
      const { chunk } = await bob.ok('POST', '/publicRooms', { filter });
      return chunk.map((room: { room_id: string }) => room.room_id) as string[];
    };
    expect(new Set(await find({ generic_search_term: 'ROSES' }))).toEqual(new Set([shown, space]));
    expect(await find({ generic_search_term: 'gardeners' })).toEqual([shown]);
    expect(await find({ room_types: ['m.space'] })).toEqual([space]);
    expect(await find({ room_types: [null], generic_search_term: 'roses' })).toEqual([shown]);
    const first = (await server.request('GET', '/_matrix/client/v3/publicRooms?limit=1')).body;
    expect(first.chunk[0]).toEqual({
      room_id: shown,
      name: 'Gardeners',
      topic: 'Roses',
      num_joined_members: 2,
      join_rule: 'public',
      world_readable: false,
      guest_can_join: false,
    });
    expect(first.total_room_count_estimate).toBe(2);
    const second = await bob.ok('GET', `/publicRooms?limit=1&since=${first.next_batch}`);
    expect(second.chunk[0].room_id).toBe(space);
    expect(second.next_batch).toBeUndefined();
    await alice.ok('PUT', listing, { visibility: 'private' });
    expect(await find({ generic_search_term: 'gardeners' })).toEqual([]);
    expect(refusal(await bob.request('GET', '/publicRooms?server=elsewhere.invalid'))).toEqual([502, 'M_UNKNOWN']);
  });

  test('a room is summed up for those who may know of it', async () => {
    const at = (idOrAlias: string) => `/_matrix/client/v1/room_summary/${encodeURIComponent(idOrAlias)}`;
    const open = await publicRoom({ name: 'Open', room_alias_name: 'open' });
    const alias = `#open:${server.serverName}`;
    expect(await bob.ok('GET', at(alias))).toMatchObject({
      room_id: open,
      name: 'Open',
      canonical_alias: alias,
      num_joined_members: 2,
      join_rule: 'public',
      membership: 'join',
    });
    const anonymous = await server.request('GET', at(open));
    expect([anonymous.status, anonymous.body.name, anonymous.body.membership]).toEqual([200, 'Open', undefined]);
    const closed = await alice.createRoom({ preset: 'private_chat', invite: [bob.userId] });
    expect(await bob.ok('GET', at(closed))).toMatchObject({ room_id: closed, membership: 'invite' });
    expect(refusal(await carol.request('GET', at(closed)))).toEqual([404, 'M_NOT_FOUND']);
    expect(refusal(await server.request('GET', at(closed)))).toEqual([404, 'M_NOT_FOUND']);
    expect(refusal(await carol.request('GET', at('#none:e2e.example')))).toEqual([404, 'M_NOT_FOUND']);
    const restricted = await alice.createRoom({
      initial_state: [
        {
          type: 'm.room.join_rules',
          content: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: open }] },
        },
      ],
    });
    expect(await bob.ok('GET', at(restricted))).toMatchObject({ allowed_room_ids: [open], membership: 'leave' });
    expect(refusal(await carol.request('GET', at(restricted)))).toEqual([404, 'M_NOT_FOUND']);
  });

  test('people are found by their names, also after a kill and from views that were made anew', async () => {
    const found = async (who: Client, term: string): Promise<string[]> => {
      const { results } = await who.ok('POST', '/user_directory/search', { search_term: term });
      return results.map(({ user_id: id }: { user_id: string }) => id);
    };
    const dave = await server.register('dave');
    await dave.ok('PUT', `/profile/${encodeURIComponent(dave.userId)}/displayname`, { displayname: 'Davíd Höfer' });
    const closed = await alice.createRoom({ preset: 'private_chat', invite: [dave.userId] });
    await dave.ok('POST', `/join/${encodeURIComponent(closed)}`);
    const expected = [[dave.userId], []];
    const ask = async (): Promise<string[][]> => [await found(alice, 'david hof'), await found(carol, 'david hof')];
    expect(await ask()).toEqual(expected);
    await server.end('SIGKILL');
    server.removeViews();
    await server.start();
    expect(await ask()).toEqual(expected);
  });
});
