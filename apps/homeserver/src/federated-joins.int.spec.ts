import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const inPath = encodeURIComponent;

describe('users of two servers', { timeout: 60_000 }, () => {
  let servers: FederatedServer[];
  let alice: FederatedUser;
  let bob: FederatedUser;
  let carol: FederatedUser;
  let here: string;
  let there: string;

  beforeAll(async () => {
    servers = [await FederatedServer.start(), await FederatedServer.start()];
    [here, there] = servers.map(({ name }) => name) as [string, string];
    alice = await servers[0]!.register('alice');
    bob = await servers[1]!.register('bob');
    carol = await servers[1]!.register('carol');
  }, 60_000);
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  const open = async (version: string, more: object = {}): Promise<string> => {
    const room = { preset: 'public_chat', room_version: version, ...more };
    return (await alice.ok('POST', '/createRoom', room)).room_id;
  };
  const stateOf = async (user: FederatedUser, roomId: string): Promise<Set<string>> => {
    const events = await user.ok('GET', `/rooms/${inPath(roomId)}/state`);
    return new Set(events.map((event: Record<string, string>) => event['event_id']));
  };
  const membershipOf = async (user: FederatedUser, roomId: string, of: string): Promise<string> =>
    (await user.ok('GET', `/rooms/${inPath(roomId)}/state/m.room.member/${inPath(of)}`)).membership;

  it.each(['1', '3', '6', '10', '11', '12'])(
    'join a room of version %s by its id and a server in it',
    async (version) => {
      const roomId = await open(version, { name: 'Shared' });
      expect(await bob.ok('POST', `/join/${inPath(roomId)}?via=${here}`, {})).toEqual({ room_id: roomId });
      expect(await membershipOf(alice, roomId, bob.userId)).toBe('join');
      expect(await membershipOf(bob, roomId, alice.userId)).toBe('join');
      expect(await stateOf(bob, roomId)).toEqual(await stateOf(alice, roomId));
      const { rooms } = await bob.ok('GET', '/sync?timeout=0');
      expect(rooms.join[roomId].summary['m.joined_member_count']).toBe(2);
    },
  );

  it('join through another server where one of those they name is gone', async () => {
    const roomId = await open('12');
    const gone = 'localhost:1';
    expect(await bob.ok('POST', `/join/${inPath(roomId)}?server_name=${gone}&server_name=${here}`, {})).toEqual({
      room_id: roomId,
    });
    const nobody = await bob.call('POST', `/join/${inPath(`!no:${gone}`)}`, {});
    expect(nobody).toMatchObject({ status: 502, body: { errcode: 'M_UNKNOWN' } });
    expect(nobody.body.error).toContain(gone);
  });

  it('join one after the other, the second by what the first brought', async () => {
    const roomId = await open('11');
    await Promise.all([bob, carol].map((user) => user.ok('POST', `/join/${inPath(roomId)}?via=${here}`, {})));
    expect(await membershipOf(bob, roomId, carol.userId)).toBe('join');
    expect(await membershipOf(carol, roomId, bob.userId)).toBe('join');
  });

  it('are told what the other server says where it lets them not in', async () => {
    const closed = await open('12', { preset: 'private_chat' });
    const refused = await bob.call('POST', `/join/${inPath(closed)}?via=${here}`, {});
    expect(refused).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
    const unknown = await bob.call('POST', `/join/${inPath(`!nothing:${here}`)}`, {});
    expect(unknown).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
    const banned = await open('12', {
      initial_state: [{ type: 'm.room.server_acl', content: { allow: ['*'], deny: [there.split(':')[0]] } }],
    });
    const keptOut = await bob.call('POST', `/join/${inPath(banned)}?via=${here}`, {});
    expect(keptOut).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  });

  it('come back to a room of which their server has missed much', async () => {
    const roomId = await open('12');
    await bob.ok('POST', `/join/${inPath(roomId)}?via=${here}`, {});
    await bob.ok('POST', `/rooms/${inPath(roomId)}/leave`, {});
    await expect.poll(() => membershipOf(alice, roomId, bob.userId)).toBe('leave');
    for (const topic of ['one', 'two', 'three']) {
      await alice.ok('PUT', `/rooms/${inPath(roomId)}/state/m.room.topic`, { topic });
    }
    const { next_batch: since } = await bob.ok('GET', '/sync?timeout=0');
    await bob.ok('POST', `/join/${inPath(roomId)}`, {});
    // What happened meanwhile comes before the join, with no gap.
    const { rooms } = await bob.ok('GET', `/sync?timeout=0&since=${since}`);
    const { events } = rooms.join[roomId].timeline;
    const topics = events.map(({ content }: { content: { topic?: string } }) => content.topic).filter(Boolean);
    expect(topics).toEqual(['one', 'two', 'three']);
    expect(await bob.ok('GET', `/rooms/${inPath(roomId)}/state/m.room.topic`)).toEqual({ topic: 'three' });
    expect(await stateOf(bob, roomId)).toEqual(await stateOf(alice, roomId));
  });

  it.each(['8', '10', '12'])(
    'join a restricted room of version %s whose conditions the other server knows',
    async (version) => {
      const spaces = [await open(version), await open(version)];
      const allow = spaces.map((room_id) => ({ type: 'm.room_membership', room_id }));
      const rules = { type: 'm.room.join_rules', content: { join_rule: 'restricted', allow } };
      const levels = { invite: 50 };
      const roomId = await open(version, { initial_state: [rules], power_level_content_override: levels });
      const path = `/join/${inPath(roomId)}?via=${here}`;
      expect(await bob.call('POST', path, {})).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
      await bob.ok('POST', `/join/${inPath(spaces[0]!)}?via=${here}`, {});
      await bob.ok('POST', path, {});
      const joined = await alice.ok('GET', `/rooms/${inPath(roomId)}/state/m.room.member/${inPath(bob.userId)}`);
      expect(joined).toMatchObject({ membership: 'join', join_authorised_via_users_server: alice.userId });
      // Nobody of Bob's server may invite: Carol's join is for the other server to authorise, though the room is here.
      await carol.ok('POST', `/join/${inPath(spaces[1]!)}?via=${here}`, {});
      await carol.ok('POST', path, {});
      expect(await membershipOf(alice, roomId, carol.userId)).toBe('join');
      expect(await membershipOf(bob, roomId, carol.userId)).toBe('join');
    },
  );
});
