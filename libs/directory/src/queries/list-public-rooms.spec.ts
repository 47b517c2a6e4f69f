import { beforeEach, describe, expect, it } from 'vitest';
import { type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { ALICE, BOB } from '#testing/local-room';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { SetRoomListed } from '#rooms/commands/set-room-listed';
import type { CreateRoomOptions } from '#rooms/decide/new-room-events';
import { listRoomsV1 } from './list-rooms-v1.js';
import { listPublicRooms, type PublicRoomsRequest } from './list-public-rooms.js';

const CAROL = '@carol:a.example' as UserId;
const OURS = serverNameOf(ALICE);

let rooms: RoomCommands;

beforeEach(() => {
  rooms = new RoomCommands();
});

function begin(name: string, options: CreateRoomOptions = {}): Promise<RoomId> {
  return rooms.createRoom(ALICE, { name, visibility: 'public', ...options });
}

async function names(request: PublicRoomsRequest): Promise<(string | undefined)[]> {
  return (await listPublicRooms(rooms.views, OURS, request)).chunk.map(({ name }) => name);
}

describe('the public directory', () => {
  it('says of each room what somebody who looks for one wants to know', async () => {
    const roomId = await begin('Lobby', {
      topic: 'Talk',
      room_alias_name: 'lobby',
      creation_content: { type: 'm.space' },
      initial_state: [
        { type: 'm.room.avatar', content: { url: 'mxc://a.example/a' } },
        { type: 'm.room.guest_access', content: { guest_access: 'can_join' } },
        { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } },
      ],
    });
    await rooms.join(BOB, roomId);
    await begin('hidden', { visibility: 'private' });
    expect(await listPublicRooms(rooms.views, OURS, {})).toEqual({
      chunk: [
        {
          room_id: roomId,
          num_joined_members: 2,
          name: 'Lobby',
          topic: 'Talk',
          avatar_url: 'mxc://a.example/a',
          canonical_alias: '#lobby:a.example',
          join_rule: 'public',
          room_type: 'm.space',
          world_readable: true,
          guest_can_join: true,
        },
      ],
      total_room_count_estimate: 1,
    });
  });

  it('shows the largest rooms first, in pages that tile the list both ways', async () => {
    const [, large, middle] = [
      await begin('s'),
      await begin('l'),
      await begin('m'),
      await begin('t'),
      await begin('u'),
    ];
    for (const user of [BOB, CAROL]) await rooms.join(user, large);
    await rooms.join(BOB, middle);
    const all = await names({});
    expect(all.slice(0, 2)).toEqual(['l', 'm']);
    for (const limit of [1, 2, 3, 5, 9]) {
      const pages: string[][] = [];
      let since: string | undefined;
      let last: string | undefined;
      do {
        const page = await listPublicRooms(rooms.views, OURS, { limit, since });
        expect(page.total_room_count_estimate).toBe(5);
        pages.push(page.chunk.map(({ name }) => name ?? ''));
        last = page.prev_batch;
        since = page.next_batch;
      } while (since !== undefined);
      expect(pages.flat()).toEqual(all);
      expect(last === undefined).toBe(pages.length === 1);
      if (last !== undefined) expect(await names({ limit, since: last })).toEqual(pages.at(-2));
    }
    expect(await names({ limit: 0 })).toEqual(all);
  });

  it('finds rooms by words of their name, topic or alias, in any case, and by type', async () => {
    await begin('Roses', { topic: 'Red' });
    await begin('Garden', { topic: 'all about ROSES' });
    await begin('Space', { room_alias_name: 'rosebed', creation_content: { type: 'm.space' } });
    await begin('Else');
    expect(new Set(await names({ term: 'rOSe' }))).toEqual(new Set(['Roses', 'Garden', 'Space']));
    expect(await names({ term: 'rose', types: ['m.space'] })).toEqual(['Space']);
    expect(new Set(await names({ types: [null] }))).toEqual(new Set(['Roses', 'Garden', 'Else']));
    expect(await names({ types: [] })).toEqual([]);
    expect(await names({ term: '' })).toHaveLength(4);
  });

  it('has no room that all of this server have left, until one of them is back', async () => {
    const roomId = await begin('Left');
    const namesOfV1 = async (): Promise<unknown[]> => {
      const all = { from: undefined, to: undefined, limit: 10, dir: undefined };
      return (await listRoomsV1(rooms.views, OURS, all)).chunk.map(({ name }) => name);
    };
    await rooms.join(BOB, roomId);
    await rooms.leave(ALICE, roomId);
    expect([await names({}), await namesOfV1()]).toEqual([['Left'], ['Left']]);
    await rooms.leave(BOB, roomId);
    expect([await names({}), await namesOfV1()]).toEqual([[], []]);
    await rooms.join(BOB, roomId);
    expect([await names({}), await namesOfV1()]).toEqual([['Left'], ['Left']]);
  });

  it('refuses a token that is not its own', async () => {
    for (const since of ['', 'x', 'p', 'p1', 'na1', 'na1_', 'na1_eA', 'nc1_IXg', 'na-1_IXg', 'na1_IXg x']) {
      await expect(listPublicRooms(rooms.views, OURS, { since })).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' });
    }
  });

  describe('between two pages', () => {
    /** Rooms in the order of the list; the last are alike but for their ids. */
    async function beginInOrder(): Promise<RoomId[]> {
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await begin(name);
      const { chunk } = await listPublicRooms(rooms.views, OURS, {});
      return chunk.map(({ room_id }) => room_id);
    }
    const list = (roomId: RoomId, listed: boolean): Promise<void> =>
      rooms.execute(new SetRoomListed(requesterOf(ALICE), roomId, listed));
    async function page(since?: string): Promise<{ ids: RoomId[]; next?: string; prev?: string }> {
      const {
        chunk,
        next_batch: next,
        prev_batch: prev,
      } = await listPublicRooms(rooms.views, OURS, { limit: 2, since });
      return { ids: chunk.map(({ room_id }) => room_id), next, prev };
    }

    it('a room that is taken out of the list hides no other and shows none twice', async () => {
      for (const gone of [0, 1, 2]) {
        rooms = new RoomCommands();
        const ids = await beginInOrder();
        const first = await page();
        await list(ids[gone]!, false);
        const second = await page(first.next);
        const third = await page(second.next);
        const left = ids.filter((id) => id !== ids[gone]);
        expect(new Set([...first.ids, ...second.ids, ...third.ids])).toEqual(new Set(ids.slice(0, 2).concat(left)));
        expect(second.ids.concat(third.ids)).toEqual(left.filter((id) => !first.ids.includes(id)));
      }
    });

    it('a room that is put into the list does so neither', async () => {
      const ids = await beginInOrder();
      await list(ids[0]!, false);
      const first = await page();
      await list(ids[0]!, true);
      expect(first.ids).toEqual(ids.slice(1, 3));
      const second = await page(first.next);
      expect(second.ids).toEqual(ids.slice(3, 5));
      expect((await page(second.prev)).ids).toEqual(ids.slice(1, 3));
      const back = await page((await page(second.prev)).prev);
      expect(back).toMatchObject({ ids: [ids[0]], prev: undefined });
    });

    it('all that was still to come may go: who turns round there misses nothing', async () => {
      const ids = await beginInOrder();
      const second = await page((await page()).next);
      for (const id of ids.slice(4)) await list(id, false);
      const third = await page(second.next);
      expect(third).toMatchObject({ ids: [], next: undefined });
      expect((await page(third.prev)).ids).toEqual(ids.slice(2, 4));
      for (const id of ids.slice(0, 2)) await list(id, false);
      const before = await page(second.prev);
      expect(before).toMatchObject({ ids: [], prev: undefined });
      expect((await page(before.next)).ids).toEqual(ids.slice(2, 4));
    });
  });
});
