import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let room: string;
let other: string;

interface Told {
  readonly type: string;
  readonly room_id?: string;
  readonly content: { readonly body?: string };
}

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
  [room, other] = [await alice.createRoom({ preset: 'public_chat' }), await alice.createRoom()];
  await bob.join(room);
});
afterAll(() => app.close());

const read = async (path: string, params: Record<string, string | number | object>) => {
  const { status, body } = await alice.v1('GET', `${path}?${queryOf(params)}`);
  expect([path, status]).toEqual([path, 200]);
  return body;
};
const bodies = (events: readonly Told[]): string[] => events.flatMap(({ content }) => content.body ?? []);

describe('the event stream of 2015 with a filter', () => {
  it('tells only what the filter lets through, of timelines and beside them', async () => {
    const { end: from } = await read('/initialSync', { limit: 0 });
    await alice.send(room, 'of alice');
    const seen = await bob.send(room, 'of bob');
    await alice.send(other, 'elsewhere');
    await alice.setState(room, 'm.room.topic', { topic: 'new' });
    await bob.ok('PUT', `${roomPath(room)}/typing/${bob.userId}`, { typing: true });
    await bob.ok('POST', `${roomPath(room)}/receipt/m.read/${encodeURIComponent(seen)}`, {});
    await alice.ok('PUT', `/user/${alice.userId}/account_data/org.example.one`, {});
    await alice.ok('PUT', `/user/${alice.userId}/account_data/org.example.two`, {});

    const typesOf = async (filter: object): Promise<string[]> => {
      const { chunk } = await read('/events', { from, timeout: 0, filter });
      return (chunk as Told[]).map(({ type, content }) => content.body ?? type);
    };
    const all = await typesOf({});
    expect(all.toSorted()).toEqual(
      [
        'elsewhere',
        'm.receipt',
        'm.room.topic',
        'm.typing',
        'of alice',
        'of bob',
        'org.example.one',
        'org.example.two',
      ].toSorted(),
    );
    const nothing = { types: [] };
    const quiet = { account_data: nothing, room: { ephemeral: nothing, account_data: nothing } };
    const timeline = { types: ['m.room.message'], senders: [bob.userId] };
    expect(await typesOf({ ...quiet, room: { ...quiet.room, timeline } })).toEqual(['of bob']);
    expect(await typesOf({ ...quiet, room: { ...quiet.room, rooms: [other] } })).toEqual(['elsewhere']);
    expect(await typesOf({ ...quiet, room: { ...quiet.room, not_rooms: [room, other] } })).toEqual([]);
    const ephemeral = { types: ['m.typing'] };
    expect(await typesOf({ account_data: nothing, room: { timeline: nothing, ephemeral } })).toEqual(['m.typing']);
    const one = { types: ['org.example.one'] };
    expect(await typesOf({ account_data: one, room: { timeline: nothing, ephemeral: nothing } })).toEqual([
      'org.example.one',
    ]);

    const { chunk } = await read('/events', {
      from,
      timeout: 0,
      room_id: room,
      filter: { room: { timeline, ephemeral: nothing } },
    });
    expect(bodies(chunk)).toEqual(['of bob']);
    const picked = await read('/events', {
      from,
      timeout: 0,
      filter: { event_fields: ['content.body'], ...quiet, room: { ...quiet.room, timeline } },
    });
    expect(picked.chunk).toEqual([{ content: { body: 'of bob' } }]);
  });

  it('goes on behind what the filter left out, page by page', async () => {
    let { end: from } = await read('/initialSync', { limit: 0 });
    for (let i = 0; i < 25; i++) await (i % 5 === 0 ? bob : alice).send(room, `${i}`);
    const filter = {
      account_data: { types: [] },
      room: { ephemeral: { types: [] }, timeline: { senders: [bob.userId] } },
    };
    const found: string[] = [];
    for (let page = 0; page < 4; page++) {
      const { chunk, end } = await read('/events', { from, limit: 2, timeout: 0, filter });
      found.push(...bodies(chunk));
      from = end;
    }
    expect(found).toEqual(['0', '5', '10', '15', '20']);
  });

  it('takes the id of a filter too, and refuses what is none', async () => {
    const filter = { room: { timeline: { types: ['m.room.topic'] } } };
    const { filter_id: id } = await alice.ok('POST', `/user/${alice.userId}/filter`, filter);
    const { rooms } = await read('/initialSync', { limit: 50, filter: id });
    const { messages } = rooms.find(({ room_id: one }: { room_id: string }) => one === room);
    expect((messages.chunk as Told[]).map(({ type }) => type)).toEqual(['m.room.topic']);
    for (const path of ['/events?timeout=0&', '/initialSync?', `${roomPath(room)}/initialSync?`]) {
      for (const [wrong, errcode] of [
        ['unknown', 'M_INVALID_PARAM'],
        ['{', 'M_NOT_JSON'],
        ['{"room":1}', 'M_BAD_JSON'],
      ]) {
        const { status, body } = await alice.v1('GET', `${path}filter=${encodeURIComponent(wrong!)}`);
        expect([path, status, body.errcode]).toEqual([path, 400, errcode]);
      }
    }
  });
});

describe('initialSync of 2015 with a filter', () => {
  it('shows the rooms, messages, state and account data that the filter lets through', async () => {
    const left = await alice.createRoom();
    await alice.leave(left);
    const idsOf = (rooms: readonly { room_id: string }[]): string[] => rooms.map(({ room_id: id }) => id);
    const filter = {
      account_data: { types: ['org.example.two'] },
      room: {
        rooms: [room, left],
        include_leave: true,
        timeline: { senders: [bob.userId], types: ['m.room.message'], limit: 3 },
        state: { types: ['m.room.topic'] },
        ephemeral: { types: [] },
      },
    };
    const all = await read('/initialSync', { limit: 1 });
    expect(idsOf(all.rooms).toSorted()).toEqual([room, other].toSorted());
    const some = await read('/initialSync', { filter });
    expect(idsOf(some.rooms).toSorted()).toEqual([room, left].toSorted());
    expect(some.account_data.map(({ type }: Told) => type)).toEqual(['org.example.two']);
    expect([all.receipts.length, some.receipts.length]).toEqual([1, 0]);
    const shown = some.rooms.find(({ room_id: one }: { room_id: string }) => one === room);
    expect(bodies(shown.messages.chunk)).toEqual(['10', '15', '20']);
    expect(shown.state.map(({ type }: Told) => type)).toEqual(['m.room.topic']);
    const alone = await read(`${roomPath(room)}/initialSync`, { limit: 1, filter });
    expect(bodies(alone.messages.chunk)).toEqual(['20']);
    expect(alone.state.map(({ type }: Told) => type)).toEqual(['m.room.topic']);
    expect(alone.receipts).toEqual([]);
  });
});
