import { expect, it } from 'vitest';
import { Member, awaitSameState } from './support/federation/member.js';
import { BOTH, describeRoomsSharedWith, type Shared } from './support/federation/shared-rooms.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';
import { path } from './support/three-users.js';

const KNOCKABLE = [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }];
const SYNAPSE_VERSIONS = ['1', '6', '10', '11', '12'];

describeRoomsSharedWith(
  { name: 'Synapse', start: startSynapse, isThere: SYNAPSE !== undefined, versions: SYNAPSE_VERSIONS },
  (shared) => {
    describeKnocking(shared);
    describeAsking(shared);
    describeAway(shared);
  },
);

function describeKnocking(shared: Shared): void {
  it.each(BOTH)('is come to by who knocked and was invited then, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const room = await maker.create('10', { preset: 'private_chat', name: 'Knock', initial_state: KNOCKABLE });
    await comer.knock(room, maker);
    await comer.followed.untilIn(room, 'knock');
    expect(comer.followed.room(room).state.get('m.room.name|')?.content).toEqual({ name: 'Knock' });
    await maker.followed.untilMember(room, comer.id, 'knock');
    await maker.invite(room, comer);
    await comer.followed.untilIn(room, 'invite');
    await comer.join(room);
    await maker.followed.untilMember(room, comer.id, 'join');
    await awaitSameState(room, maker, comer);
  });

  // Synapse tells other servers nothing of knocks that its users take back.
  it('is left by who knocked there', async () => {
    const { alice, bob } = shared;
    const room = await bob.create('10', { preset: 'private_chat', initial_state: KNOCKABLE });
    await alice.knock(room, bob);
    await bob.followed.untilMember(room, alice.id, 'knock');
    await alice.leave(room);
    await bob.followed.untilMember(room, alice.id, 'leave');
    await alice.followed.untilIn(room, 'leave');
  });

  it.each(BOTH)('is come to by members of another room, where it is restricted to them, made on %s', async (where) => {
    const { maker, comer, room: lobby } = await shared.room(where, '10');
    const content = { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: lobby }] };
    const initial_state = [{ type: 'm.room.join_rules', state_key: '', content }];
    const room = await maker.create('10', { preset: 'private_chat', initial_state });
    const stranger = await Member.at(comer.server, `stranger-${where.split(' ')[0]}`);
    expect(
      (await stranger.request('POST', `/join/${encodeURIComponent(room)}?via=${maker.server.name}`, {})).status,
    ).toBe(403);
    await comer.join(room, maker);
    await maker.followed.untilMember(room, comer.id, 'join');
    expect(await maker.stateOf(room, 'm.room.member', comer.id)).toMatchObject({
      join_authorised_via_users_server: maker.id,
    });
    await awaitSameState(room, maker, comer);
  });
}

function describeAsking(shared: Shared): void {
  it.each(BOTH)('knows the profiles of who is on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const profile = `/profile/${encodeURIComponent(maker.id)}`;
    await maker.ok('PUT', `${profile}/displayname`, { displayname: `M on ${where}` });
    expect(await comer.ok('GET', profile)).toMatchObject({ displayname: `M on ${where}` });
  });

  it.each(BOTH)('lists and searches the public rooms on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const room_id = await maker.create('10', { visibility: 'public', name: `A listed room on ${where}` });
    const list = `/publicRooms?server=${encodeURIComponent(maker.server.name)}`;
    const listed = expect.objectContaining({ room_id, name: `A listed room on ${where}` });
    expect((await comer.ok('GET', list)).chunk).toContainEqual(listed);
    const filter = { generic_search_term: where };
    expect((await comer.ok('POST', list, { filter })).chunk).toEqual([listed]);
  });

  it.each(BOTH)('walks a space on %s with what is in it that is open to all', async (where) => {
    const { maker, comer } = shared.pair(where);
    const asSpace = { creation_content: { type: 'm.space' } };
    const space = await maker.create('10', { name: 'Space', ...asSpace });
    const child = await maker.create('10', { name: 'Child' });
    const closed = await maker.create('10', { name: 'Closed', preset: 'private_chat' });
    const root = await comer.create('10', { name: 'Root', ...asSpace });
    const via = [maker.server.name];
    for (const room of [child, closed]) await maker.setState(space, 'm.space.child', { via }, room);
    await comer.setState(root, 'm.space.child', { via }, space);
    const { rooms } = await comer.ok('GET', `/_matrix/client/v1${path(root, 'hierarchy')}`);
    expect(rooms.map(({ name }: { name: string }) => name)).toEqual(['Root', 'Space', 'Child']);
  });

  it.each(BOTH)('finds by its time what was said before the join, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const room = await maker.create('10');
    const said: string[] = [];
    for (let i = 0; i < 15; i++) said.push(await maker.say(room, `long before ${i}`));
    const { origin_server_ts: time } = await maker.event(room, said[2]!);
    await comer.join(room, maker);
    await comer.followed.untilIn(room, 'join');
    const found = await comer.ok('GET', `/_matrix/client/v1${path(room, 'timestamp_to_event')}?ts=${time}&dir=f`);
    expect(found).toEqual({ event_id: said[2], origin_server_ts: time });
    expect((await comer.event(room, said[2]!)).content.body).toBe('long before 2');
  });
}

function describeAway(shared: Shared): void {
  it.each(['ours', 'other'] as const)('hears what was said while it was killed: %s', async (which) => {
    const { maker, comer, room } = await shared.room('their side', '10');
    const [stays, goes] = which === 'ours' ? [maker, comer] : [comer, maker];
    await shared[which].end('SIGKILL');
    const said: string[] = [];
    for (let i = 0; i < 5; i++) said.push(await stays.say(room, `alone ${i}`));
    await shared[which].restart();
    said.push(await stays.say(room, 'together'));
    for (const eventId of said) await goes.followed.untilTold(room, eventId);
    await stays.followed.untilTold(room, await goes.say(room, 'back'));
    await awaitSameState(room, maker, comer);
  });

  it('is the same to a third server that comes later', async () => {
    const { maker, comer, room } = await shared.room('their side', '10');
    const said = await comer.say(room, 'before');
    await maker.followed.untilTold(room, said);
    const server = await shared.third();
    try {
      const carol = await Member.at(server, 'carol');
      await carol.join(room, comer);
      await carol.followed.untilIn(room, 'join');
      for (const member of [maker, comer]) await member.followed.untilMember(room, carol.id, 'join');
      const heard = await carol.say(room, 'hello both');
      for (const member of [maker, comer]) await member.followed.untilTold(room, heard);
      await awaitSameState(room, maker, comer, carol);
      expect((await carol.history(room)).map(({ event_id }) => event_id)).toContain(said);
    } finally {
      await server.remove();
    }
  });
}
