import { expect, it } from 'vitest';
import { Member, awaitSameState } from './support/federation/member.js';
import { BOTH, describeRoomsSharedWith, type Shared } from './support/federation/shared-rooms.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';

const KNOCKABLE = [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }];
const SYNAPSE_VERSIONS = ['1', '6', '10', '11', '12'];

describeRoomsSharedWith(
  { name: 'Synapse', start: startSynapse, isThere: SYNAPSE !== undefined, versions: SYNAPSE_VERSIONS },
  (shared) => {
    describeKnocking(shared);
    describePassing(shared);
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

  it.each(BOTH)('is come to no more once the invitation was taken back, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const room = await maker.create('10', { preset: 'private_chat' });
    await maker.invite(room, comer);
    await comer.followed.untilIn(room, 'invite');
    await maker.kick(room, comer);
    await comer.followed.untilIn(room, 'leave');
  });
}

function describePassing(shared: Shared): void {
  it.each(BOTH)('tells who types, made on %s', async (where) => {
    const { maker, comer, room } = await shared.room(where, '10');
    const typing = `/rooms/${encodeURIComponent(room)}/typing/${encodeURIComponent(comer.id)}`;
    await comer.ok('PUT', typing, { typing: true, timeout: 30_000 });
    await maker.followed.until('typing', () => toldIn(maker, room, 'm.typing').at(-1)?.includes(comer.id));
    await comer.ok('PUT', typing, { typing: false });
    const isOver = () => toldIn(maker, room, 'm.typing').at(-1)?.includes(comer.id) === false;
    await maker.followed.until('no typing', isOver);
  });

  it.each(BOTH)('tells who has read what, made on %s', async (where) => {
    const { maker, comer, room } = await shared.room(where, '10');
    const said = await maker.say(room, 'read me');
    await comer.followed.untilTold(room, said);
    await comer.ok('POST', `/rooms/${encodeURIComponent(room)}/receipt/m.read/${encodeURIComponent(said)}`, {});
    const isTold = () =>
      toldIn(maker, room, 'm.receipt').some((told) => told.includes(comer.id) && told.includes(said));
    await maker.followed.until('a receipt', isTold);
  });

  it.each(BOTH)('tells who is there, made on %s', async (where) => {
    const { maker, comer } = await shared.room(where, '10');
    const status_msg = `not here, ${where}`;
    await comer.ok('PUT', `/presence/${encodeURIComponent(comer.id)}/status`, { presence: 'unavailable', status_msg });
    await maker.followed.until('presence', ({ presence }) =>
      presence.some(({ sender, content }) => sender === comer.id && content.status_msg === status_msg),
    );
  });

  it.each(BOTH)('hands messages to devices on, each once and in order, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const before = comer.followed.toDevice.length;
    for (let i = 0; i < 20; i++) await maker.toDevice(comer, 'org.example.count', { i });
    await comer.followed.until('twenty messages', ({ toDevice }) => toDevice.length >= before + 20);
    const told = comer.followed.toDevice.slice(before).map(({ sender, content }) => [sender, content.i]);
    expect(told).toEqual(Array.from({ length: 20 }, (_, i) => [maker.id, i]));
  });

  it.each(BOTH)('tells of devices, and lets their keys be claimed, made on %s', async (where) => {
    const { maker, comer } = await shared.room(where, '10');
    const before = comer.followed.devicesChanged.length;
    await maker.uploadKeys();
    await comer.followed.until('changed devices', ({ devicesChanged }) =>
      devicesChanged.slice(before).includes(maker.id),
    );
    // While Synapse fetches a list of devices by itself it says that they cannot be had.
    const query = async () => (await comer.ok('POST', '/keys/query', { device_keys: { [maker.id]: [] } })).device_keys;
    const device = { user_id: maker.id, device_id: maker.deviceId };
    await expect.poll(query).toMatchObject({ [maker.id]: { [maker.deviceId]: device } });
    const one_time_keys = { [maker.id]: { [maker.deviceId]: 'signed_curve25519' } };
    const claimed = (await comer.ok('POST', '/keys/claim', { one_time_keys })).one_time_keys;
    expect(Object.keys(claimed[maker.id][maker.deviceId])).toEqual(['signed_curve25519:AAAA']);
  });
}

function toldIn(member: Member, room: string, type: string): string[] {
  return member.followed
    .room(room)
    .ephemeral.flatMap((edu) => (edu.type === type ? [JSON.stringify(edu.content)] : []));
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

  it.each(BOTH)('shows the rooms of a space on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const child = await maker.create('10', { name: 'A room of a space' });
    const space = await maker.create('10', { creation_content: { type: 'm.space' }, name: 'A space' });
    await maker.setState(space, 'm.space.child', { via: [maker.server.name] }, child);
    await comer.join(space, maker);
    const { rooms } = await comer.ok('GET', `/_matrix/client/v1/rooms/${encodeURIComponent(space)}/hierarchy`);
    expect(rooms.map(({ room_id }: { room_id: string }) => room_id)).toEqual([space, child]);
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
