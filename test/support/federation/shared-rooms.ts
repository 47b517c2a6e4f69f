import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectTold } from './expect-told.js';
import { awaitSameState, Member } from './member.js';
import { describeChanges } from './shared-changes.js';
import { BOTH, type Peer, Shared } from './shared.js';
import { describePassing } from './shared-passing.js';

/** A suite over rooms that a server of ours has with one of another make, what all makes can do first. */
export function describeRoomsSharedWith(peer: Peer, suite: (shared: Shared) => void): void {
  describe.skipIf(!peer.isThere)(`rooms shared with ${peer.name}`, () => {
    const shared = new Shared(peer);
    beforeAll(() => shared.start());
    afterAll(() => shared.end());
    for (const version of peer.versions) {
      describeVersion(shared, version, peer.withoutRedactions?.includes(version) !== true);
    }
    const among = (...versions: readonly string[]) => versions.filter((each) => peer.versions.includes(each));
    // Version 12 has other ids of rooms, and creators above all levels.
    for (const version of among('10', '12')) {
      describe(`version ${version}`, () => {
        describeMembership(shared, version);
        describeRules(shared, version);
      });
    }
    // In version 1 a state is resolved by rules that know nothing of what led to it.
    for (const version of among('1', '10', '12')) {
      describe(`version ${version}`, () => describePuttingOut(shared, version));
    }
    // Version 8 is the first that knows it; others know all that is between.
    for (const version of ['8', ...among('10', '12')]) {
      describe(`version ${version}`, () => describeRestricted(shared, version));
    }
    describeChanges(shared, '10', '11');
    describePassing(shared);
    suite(shared);
  });
}

function describeVersion(shared: Shared, version: string, redacts: boolean): void {
  it.each(BOTH)(
    `version ${version}: both sides tell the same of a room made on %s: messages, edits, redactions, state and what was before`,
    async (where) => {
      const { maker, comer } = shared.pair(where);
      const room = await maker.create(version, { name: 'Shared' });
      const before: string[] = [];
      for (let i = 0; i < 12; i++) before.push(await maker.say(room, `before ${i}`));
      await comer.join(room, maker);
      await comer.followed.untilIn(room, 'join');

      const hello = await maker.say(room, 'hello');
      expect(await comer.followed.untilTold(room, hello)).toMatchObject({
        sender: maker.id,
        content: { body: 'hello' },
      });
      const answer = await comer.say(room, 'hello yourself');
      expect(await maker.followed.untilTold(room, answer)).toMatchObject({ sender: comer.id });
      const edit = await comer.edit(room, answer, 'hello you');
      expect(await maker.followed.untilTold(room, edit)).toMatchObject({
        content: { 'm.relates_to': { rel_type: 'm.replace', event_id: answer } },
      });
      if (redacts) await redactBoth(room, [maker, hello], [comer, answer]);
      const topic = await maker.setState(room, 'm.room.topic', { topic: 'Annals' });
      await comer.followed.untilTold(room, topic);
      const state = await awaitSameState(room, maker, comer);
      expect(state['m.room.topic|']).toBe(topic);

      const history = async (): Promise<string[]> => {
        const events = await comer.history(room, 5);
        const said = events.filter(({ content }) => content.body?.startsWith('before')).map(({ event_id }) => event_id);
        return [...said, events.at(-1)?.type];
      };
      await expectTold(comer, history, [...before.toReversed(), 'm.room.create']);
    },
  );
}

/** Two members redact a message each, and both see both of them gone. */
async function redactBoth(room: string, ...own: readonly [Member, string][]): Promise<void> {
  for (const [member, message] of own) {
    const redaction = await member.redact(room, message);
    for (const [other] of own) {
      await other.followed.untilTold(room, redaction);
      expect(await other.event(room, message)).toMatchObject({ event_id: message, content: {} });
    }
  }
}

function describeMembership(shared: Shared, version: string): void {
  it.each(BOTH)('is joined by its alias, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const alias = `alias-${version}-${where.split(' ')[0]}`;
    const room = await maker.create(version, { room_alias_name: alias });
    expect(await comer.join(`#${alias}:${maker.server.name}`)).toBe(room);
    await maker.followed.untilMember(room, comer.id, 'join');
    await awaitSameState(room, maker, comer);
  });

  it.each(BOTH)('is come to by invitation, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const room = await maker.create(version, { preset: 'private_chat', name: 'By invitation' });
    await maker.invite(room, comer);
    await comer.followed.untilIn(room, 'invite');
    const told = comer.followed.room(room).state;
    expect(told.get('m.room.name|')?.content).toEqual({ name: 'By invitation' });
    expect(told.get(`m.room.member|${comer.id}`)).toMatchObject({
      sender: maker.id,
      content: { membership: 'invite' },
    });
    await comer.join(room);
    await maker.followed.untilMember(room, comer.id, 'join');
    await awaitSameState(room, maker, comer);
  });

  it.each(BOTH)('is not come to: an invitation is rejected, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const room = await maker.create(version, { preset: 'private_chat' });
    await maker.invite(room, comer);
    await comer.followed.untilIn(room, 'invite');
    await comer.leave(room);
    await comer.followed.untilIn(room, 'leave');
    await maker.followed.untilMember(room, comer.id, 'leave');
    expect((await comer.request('POST', `/join/${encodeURIComponent(room)}?via=${maker.server.name}`, {})).status).toBe(
      403,
    );
  });

  it.each(BOTH)('is left and come back to, made on %s', async (where) => {
    const { maker, comer, room } = await shared.room(where, version);
    await comer.leave(room);
    await maker.followed.untilMember(room, comer.id, 'leave');
    const missed = await maker.say(room, 'nobody hears me');
    await comer.join(room, maker);
    await maker.followed.untilMember(room, comer.id, 'join');
    const heard = await maker.say(room, 'now they do');
    await comer.followed.untilTold(room, heard);
    const history = async () => (await comer.history(room)).map(({ event_id }) => event_id);
    await expectTold(comer, history, expect.arrayContaining([missed]));
    await awaitSameState(room, maker, comer);
  });
}

function describePuttingOut(shared: Shared, version: string): void {
  it.each(BOTH)('is left by who is put out of it, made on %s', async (where) => {
    const { maker, comer, room } = await shared.room(where, version);
    await maker.kick(room, comer);
    await comer.followed.untilIn(room, 'leave');
    expect((await comer.request('PUT', `/rooms/${encodeURIComponent(room)}/send/m.room.message/k`, {})).status).toBe(
      403,
    );
    await comer.join(room, maker);
    await comer.followed.untilIn(room, 'join');
    await maker.ban(room, comer);
    await comer.followed.untilIn(room, 'leave');
    const again = `/join/${encodeURIComponent(room)}?via=${maker.server.name}&server_name=${maker.server.name}`;
    expect((await comer.request('POST', again, {})).status).toBe(403);
    await maker.unban(room, comer);
    await comer.join(room, maker);
    await maker.followed.untilMember(room, comer.id, 'join');
    await awaitSameState(room, maker, comer);
  });
}

function describeRestricted(shared: Shared, version: string): void {
  it.each(BOTH)('is come to by members of another room, where it is restricted to them, made on %s', async (where) => {
    const { maker, comer, room: lobby } = await shared.room(where, version);
    const content = { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: lobby }] };
    const initial_state = [{ type: 'm.room.join_rules', state_key: '', content }];
    const room = await maker.create(version, { preset: 'private_chat', initial_state });
    const stranger = await Member.at(comer.server, `stranger-${version}-${where.split(' ')[0]}`);
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

function describeRules(shared: Shared, version: string): void {
  it.each(BOTH)('is ruled by those who were given power, made on %s', async (where) => {
    const { maker, comer, room } = await shared.room(where, version);
    const setTopic = `/rooms/${encodeURIComponent(room)}/state/m.room.topic/`;
    expect((await comer.request('PUT', setTopic, { topic: 'mine' })).status).toBe(403);
    await comer.followed.untilTold(room, await maker.setPower(room, comer, 50));
    await maker.followed.untilTold(room, await comer.setState(room, 'm.room.topic', { topic: 'mine' }));
    const said = await maker.say(room, 'something');
    await comer.followed.untilTold(room, said);
    await maker.followed.untilTold(room, await comer.redact(room, said));
    expect((await maker.event(room, said)).content).toEqual({});
    await comer.followed.untilTold(room, await maker.setPower(room, comer, 0));
    expect((await comer.request('PUT', setTopic, { topic: 'still mine' })).status).toBe(403);
    await awaitSameState(room, maker, comer);
  });

  const VISIBLE: readonly [string, readonly string[]][] = [
    ['world_readable', ['before', 'invited', 'joined']],
    ['shared', ['before', 'invited', 'joined']],
    ['invited', ['invited', 'joined']],
    ['joined', ['joined']],
  ];
  it.each(BOTH.flatMap((where) => VISIBLE.map(([visibility, seen]) => [visibility, where, seen] as const)))(
    'shows who comes what its history visibility allows: %s, made on %s',
    async (history_visibility, where, seen) => {
      const { maker, comer } = shared.pair(where);
      const content = { history_visibility };
      const room = await maker.create(version, {
        preset: 'private_chat',
        initial_state: [{ type: 'm.room.history_visibility', state_key: '', content }],
      });
      await maker.say(room, 'before');
      await maker.invite(room, comer);
      await comer.followed.untilIn(room, 'invite');
      await maker.say(room, 'invited');
      await comer.join(room, maker);
      await comer.followed.untilIn(room, 'join');
      await comer.followed.untilTold(room, await maker.say(room, 'joined'));
      const bodies = async () =>
        (await comer.history(room)).flatMap(({ content: { body } }) => body ?? []).toReversed();
      await expectTold(comer, bodies, seen);
    },
  );

  it('is the same on both sides once they meet again after each went its own way', async () => {
    const { maker, comer, room } = await shared.room('their side', version);
    await comer.followed.untilTold(room, await maker.setPower(room, comer, 100));
    shared.ours.line.cut();
    shared.other.line.cut();
    const said: string[] = [];
    for (const member of [maker, comer]) {
      for (let i = 0; i < 3; i++) said.push(await member.say(room, `alone ${i}`));
      await member.setState(room, 'm.room.topic', { topic: `of ${member.id}` });
      await member.setState(room, `org.example.${member === maker ? 'maker' : 'comer'}`, {});
    }
    shared.ours.line.mend();
    shared.other.line.mend();
    await maker.followed.untilTold(room, await comer.say(room, 'together'));
    await comer.followed.untilTold(room, await maker.say(room, 'again'));
    await awaitSameState(room, maker, comer);
    for (const member of [maker, comer]) {
      const history = async () => (await member.history(room)).map(({ event_id }) => event_id);
      await expectTold(member, history, expect.arrayContaining(said));
    }
  });
}
