import { expect, it } from 'vitest';
import { annals } from './support/annals.js';
import { expectTold } from './support/federation/expect-told.js';
import { Member, awaitSameState } from './support/federation/member.js';
import { BOTH, type Shared } from './support/federation/shared.js';
import { describeAsking, describeAskingByTime } from './support/federation/shared-asking.js';
import { describeRoomsSharedWith } from './support/federation/shared-rooms.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';

const KNOCKABLE = [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }];
const KNOCKED = ['7', '10', '12'].flatMap((version) => BOTH.map((where) => [version, where] as const));
const SYNAPSE_VERSIONS = ['1', '6', '10', '11', '12'];

describeRoomsSharedWith(
  { name: 'Synapse', start: startSynapse, isThere: SYNAPSE !== undefined, versions: SYNAPSE_VERSIONS },
  (shared) => {
    describeKnocking(shared);
    describeAsking(shared);
    describeAskingByTime(shared);
    describeAway(shared);
    describeParts(shared);
  },
);

function describeKnocking(shared: Shared): void {
  it.each(KNOCKED)('version %s: is come to by who knocked and was invited then, made on %s', async (version, where) => {
    const { maker, comer } = shared.pair(where);
    const room = await maker.create(version, { preset: 'private_chat', name: 'Knock', initial_state: KNOCKABLE });
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

  it.each(BOTH)('is knocked at by who is in no room that would let them in, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const lobby = await maker.create('10', { preset: 'private_chat' });
    const rule = { join_rule: 'knock_restricted', allow: [{ type: 'm.room_membership', room_id: lobby }] };
    const initial_state = [{ type: 'm.room.join_rules', state_key: '', content: rule }];
    const room = await maker.create('10', { preset: 'private_chat', initial_state });
    await comer.knock(room, maker);
    await maker.followed.untilMember(room, comer.id, 'knock');
    await maker.invite(lobby, comer);
    await comer.followed.untilIn(lobby, 'invite');
    await comer.join(lobby);
    await comer.join(room, maker);
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

  it.each(BOTH)('is come to no more once the invitation was taken back, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const room = await maker.create('10', { preset: 'private_chat' });
    await maker.invite(room, comer);
    await comer.followed.untilIn(room, 'invite');
    await maker.kick(room, comer);
    await comer.followed.untilIn(room, 'leave');
  });
}

function describeAway(shared: Shared): void {
  it.each(BOTH)('is paged back whole where much was said before, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const room = await maker.create('11');
    const said: string[] = [];
    for (let i = 0; i < 130; i++) said.push(await maker.say(room, `before ${i}`));
    await comer.join(room, maker);
    await expectTold(comer, async () => (await comer.messages(room)).toReversed(), said);
  });

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

function describeParts(shared: Shared): void {
  it('comes without its members where we join it, and then whole', async () => {
    const { bob } = shared;
    const ours = await shared.third();
    try {
      const carol = await Member.at(ours, 'carol');
      const room = await bob.create('11', { preset: 'public_chat', name: 'Many' });
      for (let i = 0; i < 5; i++) await (await Member.at(bob.server, `many-${i}`)).join(room);
      await carol.join(room, bob);
      await bob.followed.untilTold(room, await carol.say(room, 'hello to all of you'));
      await carol.followed.untilTold(room, await bob.say(room, 'hello'));
      await awaitSameState(room, bob, carol);
      expect((await annals(ours, 'audit', room, '--json')).output).toContain('"fact":"join-filled"');
      expect(await annals(ours, 'verify')).toMatchObject({ code: 0 });
    } finally {
      await ours.remove();
    }
  });
}
