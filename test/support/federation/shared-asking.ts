import { expect, it } from 'vitest';
import { path as pathIn } from '../three-users.js';
import { BOTH, type Shared } from './shared.js';

/** What is asked of another server where its users and rooms are looked at. */
export function describeAsking(shared: Shared): void {
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
    // Synapse lists a room some time after it was made.
    await expect.poll(async () => (await comer.ok('GET', list)).chunk).toContainEqual(listed);
    const filter = { generic_search_term: where };
    expect((await comer.ok('POST', list, { filter })).chunk).toEqual([listed]);
  });

  it.each(BOTH)('pages through the public rooms on %s, and back', async (where) => {
    const { maker, comer } = shared.pair(where);
    const name = `Paged, on ${where}`;
    const made: string[] = [];
    for (let i = 0; i < 5; i++) made.push(await maker.create('10', { visibility: 'public', name: `${name} ${i}` }));
    const list = `/publicRooms?server=${encodeURIComponent(maker.server.name)}`;
    const filter = { generic_search_term: 'Paged' };
    const body = { limit: 2, filter };
    const pages: string[][] = [];
    await expect.poll(async () => (await comer.ok('POST', list, { filter })).chunk).toHaveLength(made.length);
    let page = await comer.ok('POST', list, body);
    const ids = (): string[] => page.chunk.map(({ room_id }: { room_id: string }) => room_id);
    for (pages.push(ids()); page.next_batch !== undefined && pages.length < 10; pages.push(ids())) {
      page = await comer.ok('POST', list, { ...body, since: page.next_batch });
    }
    expect(pages.flat().toSorted()).toEqual(made.toSorted());
    page = await comer.ok('POST', list, { ...body, since: page.prev_batch });
    expect(ids()).toEqual(pages.at(-2));
  });

  it.each(BOTH)('shows the rooms of a space on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const child = await maker.create('10', { name: 'A room of a space' });
    const inner = await maker.create('10', { creation_content: { type: 'm.space' }, name: 'A space in it' });
    const innermost = await maker.create('10', { name: 'A room of the space in it' });
    const space = await maker.create('10', { creation_content: { type: 'm.space' }, name: 'A space' });
    const restricted = { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: space }] };
    const forMembers = await maker.create('10', {
      preset: 'private_chat',
      initial_state: [{ type: 'm.room.join_rules', state_key: '', content: restricted }],
    });
    const hidden = await maker.create('10', { preset: 'private_chat' });
    const put = (parent: string, room: string, order: string) =>
      maker.setState(parent, 'm.space.child', { via: [maker.server.name], order }, room);
    for (const [room, order] of [[child, 'a'], [inner, 'b'], [forMembers, 'c'], [hidden, 'd']] as const) await put(space, room, order); // prettier-ignore
    await put(inner, innermost, 'a');
    await comer.join(space, maker);
    const { rooms } = await comer.ok('GET', `/_matrix/client/v1${pathIn(space, 'hierarchy')}`);
    expect(rooms.map(({ room_id }: { room_id: string }) => room_id)).toEqual([
      space,
      child,
      inner,
      innermost,
      forMembers,
    ]);
  });
}

/** What Dendrite does not know. */
export function describeAskingByTime(shared: Shared): void {
  it.each(BOTH)(
    'finds what was said at a time before somebody came, and pages on from there, made on %s',
    async (where) => {
      const { maker, comer } = shared.pair(where);
      const room = await maker.create('10');
      const said: string[] = [];
      let between = 0;
      for (let i = 0; i < 30; i++) {
        said.push(await maker.say(room, `before ${i}`));
        if (i === 14) between = (await maker.event(room, said[14]!)).origin_server_ts + 1;
      }
      await comer.join(room, maker);
      await comer.followed.untilIn(room, 'join');
      const found = await comer.ok(
        'GET',
        `/_matrix/client/v1${pathIn(room, 'timestamp_to_event')}?dir=f&ts=${between}`,
      );
      expect(said.slice(14, 17)).toContain(found.event_id);
      // Synapse brings no more than that event there.
      if (where === 'our side') return;
      const from = said.indexOf(found.event_id);
      const around = await comer.ok('GET', `${pathIn(room, 'context', found.event_id)}?limit=6`);
      expect(around.event.event_id).toBe(found.event_id);
      const later = await comer.ok('GET', `${pathIn(room, 'messages')}?dir=f&limit=5&from=${around.end}`);
      const told = [...around.events_before.toReversed(), around.event, ...around.events_after, ...later.chunk];
      const ids: string[] = told.map(({ event_id }) => event_id);
      expect(ids).toEqual(said.slice(from - around.events_before.length).slice(0, ids.length));
      expect(ids.length).toBeGreaterThan(8);
    },
  );

  it.each(BOTH)('tells what a room is that nobody there is in, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const room = await maker.create('11', { name: `To be looked at on ${where}` });
    const summary = `/_matrix/client/v1/room_summary/${encodeURIComponent(room)}?via=${maker.server.name}`;
    expect(await comer.ok('GET', summary)).toMatchObject({ room_id: room, name: `To be looked at on ${where}` });
  });
}
