import { describe, expect, it } from 'vitest';
import { AccessLists } from '#accounts/reading/access-lists';
import { ReadableProfiles } from '#accounts/reading/readable-profiles';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import type { Collection } from '#projections/collection';
import type { Views } from '#projections/views';
import type { Key, Write } from '#read-models/read-model-store';
import { ROOM_COUNTS, ROOM_MEMBERS, USER_ROOMS } from '#rooms/projections/membership.projector';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import { SERVER_LOG } from '#rooms/projections/server-log';
import { MemoryReadModels } from '#testing/memory-read-models';
import { NAMED_USERS, USER_WORDS } from '../projections/names.projector.js';
import { searchUsers } from './search-users.js';

const READER = '@reader:a.example' as UserId;
const user = (n: number): UserId => `@sam${String(n).padStart(6, '0')}:a.example` as UserId;
const room = (n: number): RoomId => `!${n}:a.example` as RoomId;

/** Views in which everybody is called Sam, and some are in some rooms, none of which is open to others. */
async function viewsOf(users: number, rooms: readonly (readonly UserId[])[]): Promise<CountingViews> {
  const writes: Write[] = [];
  const put = <K extends Key, V>(collection: Collection<K, V>, key: K, value: V): void =>
    void writes.push({
      collection: collection.name,
      key,
      value: collection.codec.encode(value),
    });
  for (let n = 0; n < users; n++) {
    put(USER_WORDS, ['sam', user(n)], true);
    put(NAMED_USERS, [user(n)], { words: ['sam'], position: START });
  }
  for (const [n, members] of rooms.entries()) {
    put(ROOM_COUNTS, [room(n)], {
      joined: members.length,
      invited: 0,
      pos: START,
    });
    for (const userId of members) {
      const joined = {
        membership: 'join',
        event_id: '$e',
        pos: START,
        sender: userId,
      } as const;
      put(ROOM_MEMBERS, [room(n), 'join', userId], true);
      put(USER_ROOMS, [userId, room(n)], joined as never);
    }
  }
  const views = new CountingViews();
  await views.write(writes);
  views.read = 0;
  return views;
}

/** Counts the rows that are asked for, and those that a scan answers. */
class CountingViews extends MemoryReadModels {
  read = 0;

  override async getMany(collection: string, keys: readonly Key[]): Promise<(string | undefined)[]> {
    this.read += keys.length;
    return super.getMany(collection, keys);
  }

  override async scan(...of: Parameters<MemoryReadModels['scan']>): ReturnType<MemoryReadModels['scan']> {
    const rows = await super.scan(...of);
    this.read += rows.length;
    return rows;
  }
}

const search = (views: CountingViews): ReturnType<typeof searchUsers> =>
  searchUsers(views as unknown as Views, new ReadableProfiles(views as unknown as Views, new AccessLists()), READER, {
    term: 'Sam',
    limit: 10,
  });

describe('a search that more match than are looked at', () => {
  it('finds whom one shares a room with all the same', async () => {
    const mate = user(29_999);
    const views = await viewsOf(30_000, [[READER, mate]]);
    expect(await search(views)).toEqual({
      results: [{ user_id: mate }],
      limited: true,
    });
    expect(views.read).toBeLessThan(3_000);
  });

  it('costs no more where everybody shares a room with the reader', async () => {
    const everybody = Array.from({ length: 30_000 }, (_, n) => user(n));
    const views = await viewsOf(30_000, [[READER, ...everybody]]);
    const { results, limited } = await search(views);
    expect([results.length, limited]).toEqual([10, true]);
    expect(views.read).toBeLessThan(3_000);
  });

  it('ends where others are in very many rooms', async () => {
    const some = Array.from({ length: 60 }, (_, n) => user(n));
    const views = await viewsOf(60, [[READER], ...Array.from({ length: 2_000 }, () => some)]);
    expect(await search(views)).toEqual({ results: [], limited: true });
    expect(views.read).toBeLessThan(50_000);
  });
});

describe('a search for who is in an open room', () => {
  /** Sam in a public room, in which so many users of the reader's server are. */
  async function found(joined: number): Promise<UserId[]> {
    const views = await viewsOf(1, [[user(0)]]);
    const summary = { join_rule: 'public', history_visibility: 'shared' } as never;
    const server = [room(0), 'a.example' as ServerName, START] as const;
    await views.write([
      { collection: ROOMS.name, key: [room(0)], value: ROOMS.codec.encode(summary) },
      { collection: SERVER_LOG.name, key: server, value: SERVER_LOG.codec.encode({ joined, invited: 0 }) },
    ]);
    return (await search(views)).results.map(({ user_id: id }) => id);
  }

  it('finds them as long as this server is in the room: what it knows of it later is of the past', async () => {
    expect([await found(1), await found(0)]).toEqual([[user(0)], []]);
  });
});
