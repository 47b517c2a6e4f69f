import { expect, it } from 'vitest';
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
