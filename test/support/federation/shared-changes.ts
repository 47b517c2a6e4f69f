import { expect, it } from 'vitest';
import { path as pathIn } from '../three-users.js';
import { awaitSameState } from './member.js';
import { BOTH, type Shared, type Where } from './shared.js';

/** What becomes of a room: who is in it is called otherwise, servers are shut out, another room takes its place. */
export function describeChanges(shared: Shared, version: string, nextVersion: string): void {
  it.each(BOTH)('tells what who is in it calls themself now, made on %s', async (where) => {
    const { maker, comer, room } = await shared.room(where, version);
    for (const member of [maker, comer]) {
      const displayname = `${member.id} in ${room}`;
      await member.ok('PUT', `/profile/${encodeURIComponent(member.id)}/displayname`, { displayname });
      const other = member === maker ? comer : maker;
      const isTold = () =>
        other.followed.room(room).state.get(`m.room.member|${member.id}`)?.content.displayname === displayname;
      await other.followed.until('a new name', isTold);
    }
    await awaitSameState(room, maker, comer);
  });

  it.each(BOTH)('is followed to the one that takes its place, made on %s', async (where) => {
    const { maker, comer, room } = await shared.room(where, version, { name: 'Old', topic: 'kept' });
    const { replacement_room: next } = await maker.ok('POST', pathIn(room, 'upgrade'), { new_version: nextVersion });
    const isTold = () => comer.followed.room(room).state.get('m.room.tombstone|')?.content.replacement_room === next;
    await comer.followed.until('a tombstone', isTold);
    await comer.join(next, maker);
    await maker.followed.untilMember(next, comer.id, 'join');
    expect(await comer.stateOf(next, 'm.room.create')).toMatchObject({ predecessor: { room_id: room } });
    expect(await comer.stateOf(next, 'm.room.topic')).toMatchObject({ topic: 'kept' });
    // Dendrite hands on what closes the old one with what comes after it.
    await comer.followed.untilTold(room, await maker.say(room, 'come over'));
    const say = pathIn(room, 'send', 'm.room.message', 'late');
    expect((await comer.request('PUT', say, { msgtype: 'm.text', body: 'late' })).status).toBe(403);
    await maker.followed.untilTold(next, await comer.say(next, 'here'));
    for (const each of [room, next]) await awaitSameState(each, maker, comer);
  });

  it.each(BOTH)('shuts a server out and lets it in again, made on %s', async (where) => {
    await shutsOut(shared, where, version);
  });
}

async function shutsOut(shared: Shared, where: Where, version: string): Promise<void> {
  const { maker, comer, room } = await shared.room(where, version);
  // Said of addresses what is so by itself, which Dendrite takes otherwise.
  const acl = (...deny: readonly string[]): object => ({ allow: ['*'], deny, allow_ip_literals: true });
  const shut = acl(comer.server.name.replace(/:\d+$/, ''));
  await comer.followed.untilTold(room, await maker.setState(room, 'm.room.server_acl', { ...shut }));
  const unheard = await comer.say(room, 'nobody hears me');
  await comer.ok('PUT', pathIn(room, 'typing', comer.id), { typing: true, timeout: 30_000 });
  const other = await maker.create(version, {
    initial_state: [{ type: 'm.room.server_acl', state_key: '', content: shut }],
  });
  const join = `/join/${encodeURIComponent(other)}?via=${maker.server.name}&server_name=${maker.server.name}`;
  expect((await comer.request('POST', join, {})).status).toBe(403);
  // What is said to them comes, as it does to those who were put out.
  await comer.followed.untilTold(room, await maker.say(room, 'do you hear me?'));
  expect((await maker.request('GET', pathIn(room, 'event', unheard))).status).toBe(404);
  expect(maker.followed.room(room).ephemeral.filter(({ type }) => type === 'm.typing')).toEqual([]);

  await comer.followed.untilTold(room, await maker.setState(room, 'm.room.server_acl', { ...acl('other.example') }));
  await maker.followed.untilTold(room, await comer.say(room, 'do you hear me?'));
  await comer.followed.untilTold(room, await maker.say(room, 'now I do'));
  await awaitSameState(room, maker, comer);
  await expect.poll(async () => (await maker.history(room)).map(({ event_id: id }) => id)).toContain(unheard);
}
