import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const inPath = encodeURIComponent;

describe('invitations between two servers', { timeout: 60_000 }, () => {
  let servers: FederatedServer[];
  let alice: FederatedUser;
  let bob: FederatedUser;
  let here: string;

  beforeAll(async () => {
    servers = [await FederatedServer.start(), await FederatedServer.start()];
    here = servers[0]!.name;
    alice = await servers[0]!.register('alice');
    bob = await servers[1]!.register('bob');
  }, 60_000);
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  const open = async (version: string, more: object = {}): Promise<string> =>
    (await alice.ok('POST', '/createRoom', { preset: 'private_chat', room_version: version, name: 'Ours', ...more }))
      .room_id;
  const invite = (roomId: string, userId = bob.userId) =>
    alice.call('POST', `/rooms/${inPath(roomId)}/invite`, { user_id: userId, reason: 'come' });
  const membershipOf = async (user: FederatedUser, roomId: string, of: string): Promise<string> =>
    (await user.ok('GET', `/rooms/${inPath(roomId)}/state/m.room.member/${inPath(of)}`)).membership;

  it.each(['1', '3', '6', '10', '11', '12'])('are told, and accepted, in rooms of version %s', async (version) => {
    const { next_batch: since } = await bob.ok('GET', '/sync?timeout=0');
    const polled = bob.ok('GET', `/sync?timeout=20000&since=${since}`);
    const roomId = await open(version);
    expect(await invite(roomId)).toEqual({ status: 200, body: {} });
    expect(await membershipOf(alice, roomId, bob.userId)).toBe('invite');
    const { rooms } = await polled;
    const { events } = rooms.invite[roomId].invite_state;
    const types = events.map((event: Record<string, string>) => event['type']);
    expect(types).toEqual(
      expect.arrayContaining(['m.room.create', 'm.room.name', 'm.room.join_rules', 'm.room.member']),
    );
    expect(events.at(-1)).toMatchObject({ sender: alice.userId, state_key: bob.userId, content: { reason: 'come' } });
    for (const event of events) expect(event).not.toHaveProperty('signatures');
    // No server is named: the invitation says which has the room.
    await bob.ok('POST', `/rooms/${inPath(roomId)}/join`, {});
    expect(await membershipOf(alice, roomId, bob.userId)).toBe('join');
    const later = await bob.ok('GET', `/sync?timeout=0&since=${since}`);
    expect(Object.keys(later.rooms.join)).toContain(roomId);
    expect(later.rooms.invite).not.toHaveProperty(roomId);
    const { joined } = await bob.ok('GET', `/rooms/${inPath(roomId)}/joined_members`);
    expect(Object.keys(joined)).toHaveLength(2);
  });

  it('are made as a room begins', async () => {
    const roomId = await open('12', { invite: [bob.userId], is_direct: true });
    const { rooms } = await bob.ok('GET', '/sync?timeout=0');
    expect(rooms.invite[roomId].invite_state.events.at(-1)).toMatchObject({ content: { is_direct: true } });
  });

  it('are told by the API of 2015 and by sliding sync too', async () => {
    const roomId = await open('11');
    await invite(roomId);
    const v1 = await bob.ok('GET', '/_matrix/client/api/v1/initialSync?limit=1');
    const told = v1.rooms.find((room: Record<string, string>) => room['room_id'] === roomId);
    expect(told).toMatchObject({ membership: 'invite', inviter: alice.userId });
    const body = { lists: { all: { ranges: [[0, 99]], timeline_limit: 1, required_state: [] } } };
    const sliding = await bob.ok('POST', '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0', body);
    expect(sliding.rooms[roomId].invite_state.length).toBeGreaterThan(2);
  });

  it('are among the notifications until they are answered, as those to rooms that are here', async () => {
    const listed = async (roomId: string): Promise<unknown[]> => {
      const { notifications } = await bob.ok('GET', '/notifications');
      return notifications.filter((one: Record<string, string>) => one['room_id'] === roomId);
    };
    const roomId = await open('12');
    await invite(roomId);
    const event = { type: 'm.room.member', sender: alice.userId, state_key: bob.userId, content: { reason: 'come' } };
    expect(await listed(roomId)).toMatchObject([{ event, read: false, actions: ['notify', { set_tweak: 'sound' }] }]);
    await bob.ok('POST', `/rooms/${inPath(roomId)}/leave`, {});
    expect(await listed(roomId)).toEqual([]);
  });

  it('are heard of in the event stream', async () => {
    const { end } = await bob.ok('GET', '/_matrix/client/api/v1/initialSync?limit=0');
    const polled = bob.ok('GET', `/_matrix/client/api/v1/events?from=${end}&timeout=20000`);
    const roomId = await open('11');
    await invite(roomId);
    const { chunk } = await polled;
    expect(chunk).toEqual([expect.objectContaining({ room_id: roomId, type: 'm.room.member', state_key: bob.userId })]);
  });

  it('are refused where nobody is called so, and are no part of the room then', async () => {
    const roomId = await open('12');
    const nobody = bob.userId.replace('bob', 'nobody');
    expect(await invite(roomId, nobody)).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
    const gone = await invite(roomId, '@bob:localhost:1');
    expect(gone).toMatchObject({ status: 502, body: { errcode: 'M_UNKNOWN' } });
    const { chunk } = await alice.ok('GET', `/rooms/${inPath(roomId)}/members`);
    expect(chunk).toHaveLength(1);
  });

  it('are declined, and can be forgotten', async () => {
    const roomId = await open('12');
    await invite(roomId);
    const { next_batch: since } = await bob.ok('GET', '/sync?timeout=0');
    await bob.ok('POST', `/rooms/${inPath(roomId)}/leave`, { reason: 'no' });
    expect(await membershipOf(alice, roomId, bob.userId)).toBe('leave');
    const { rooms } = await bob.ok('GET', `/sync?timeout=0&since=${since}`);
    expect(rooms.leave[roomId].timeline.events).toEqual([
      expect.objectContaining({ state_key: bob.userId, content: { membership: 'leave', reason: 'no' } }),
    ]);
    await bob.ok('POST', `/rooms/${inPath(roomId)}/forget`, {});
    const anew = await bob.ok('GET', `/sync?timeout=0`);
    expect(anew.rooms.invite).not.toHaveProperty(roomId);
    // And they may be asked again.
    await invite(roomId);
    expect((await bob.ok('GET', `/sync?timeout=0`)).rooms.invite).toHaveProperty([roomId]);
    await bob.ok('POST', `/join/${inPath(roomId)}?via=${here}`, {});
    expect(await membershipOf(alice, roomId, bob.userId)).toBe('join');
  });

  it('are declined where the server that sent them is gone, and hold nobody', async () => {
    const third = await FederatedServer.start();
    const carol = await third.register('carol');
    const { room_id: roomId } = await carol.ok('POST', '/createRoom', { invite: [bob.userId], name: 'Gone' });
    await third.stop();
    const { rooms } = await bob.ok('GET', '/sync?timeout=0');
    expect(rooms.invite).toHaveProperty([roomId]);
    expect(await bob.call('POST', `/rooms/${inPath(roomId)}/join`, {})).toMatchObject({ status: 502 });
    await bob.ok('POST', `/rooms/${inPath(roomId)}/leave`, {});
    await bob.ok('POST', `/rooms/${inPath(roomId)}/forget`, {});
    expect((await bob.ok('GET', '/sync?timeout=0')).rooms.invite).not.toHaveProperty([roomId]);
  });

  it.each(['7', '12'])('are asked for by knocking, in rooms of version %s, and that is taken back', async (version) => {
    const rules = { type: 'm.room.join_rules', content: { join_rule: 'knock' } };
    const roomId = await open(version, { initial_state: [rules] });
    const knock = () => bob.ok('POST', `/knock/${inPath(roomId)}?via=${here}`, { reason: 'please' });
    expect(await knock()).toEqual({ room_id: roomId });
    expect(await membershipOf(alice, roomId, bob.userId)).toBe('knock');
    const { rooms } = await bob.ok('GET', '/sync?timeout=0');
    const types = rooms.knock[roomId].knock_state.events.map((event: Record<string, string>) => event['type']);
    expect(types).toEqual(expect.arrayContaining(['m.room.create', 'm.room.name', 'm.room.member']));
    await bob.ok('POST', `/rooms/${inPath(roomId)}/leave`, {});
    expect(await membershipOf(alice, roomId, bob.userId)).toBe('leave');
    expect((await bob.ok('GET', '/sync?timeout=0')).rooms?.knock ?? {}).not.toHaveProperty([roomId]);
    await knock();
    await invite(roomId);
    expect((await bob.ok('GET', '/sync?timeout=0')).rooms.invite).toHaveProperty([roomId]);
    await bob.ok('POST', `/join/${inPath(roomId)}`, {});
    expect(await membershipOf(alice, roomId, bob.userId)).toBe('join');
  });

  it('may be knocked for nowhere where the rules do not say so', async () => {
    const roomId = await open('12');
    const refused = await bob.call('POST', `/knock/${inPath(roomId)}?via=${here}`, {});
    expect(refused).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  });

  it('are taken back by who sent them, and knocks are refused', async () => {
    const rules = { type: 'm.room.join_rules', content: { join_rule: 'knock' } };
    const roomId = await open('11', { initial_state: [rules] });
    const kick = () => alice.ok('POST', `/rooms/${inPath(roomId)}/kick`, { user_id: bob.userId, reason: 'no more' });
    const heard = async (since: string): Promise<object[]> => {
      const { rooms } = await bob.ok('GET', `/sync?timeout=20000&since=${since}`);
      return rooms.leave[roomId].timeline.events;
    };
    await invite(roomId);
    const { next_batch: invited, rooms } = await bob.ok('GET', '/sync?timeout=0');
    expect(rooms.invite).toHaveProperty([roomId]);
    await kick();
    const left = { sender: alice.userId, state_key: bob.userId, content: { membership: 'leave', reason: 'no more' } };
    expect(await heard(invited)).toEqual([expect.objectContaining(left)]);
    await bob.ok('POST', `/knock/${inPath(roomId)}?via=${here}`, {});
    const { next_batch: knocked } = await bob.ok('GET', '/sync?timeout=0');
    await kick();
    expect(await heard(knocked)).toEqual([expect.objectContaining(left)]);
    await bob.ok('POST', `/rooms/${inPath(roomId)}/forget`, {});
  });
});
