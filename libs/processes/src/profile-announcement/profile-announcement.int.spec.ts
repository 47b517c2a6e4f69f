import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

let app: RoomsApp;

beforeAll(async () => {
  app = await startRoomsApp();
});
afterAll(() => app.close());

describe('a changed name or avatar', () => {
  it('is in the rooms of the user when the change is answered, by both doors', async () => {
    const alice = await app.register('alice');
    const rooms = [await alice.createRoom(), await alice.createRoom()];
    const members = (): Promise<unknown[]> =>
      Promise.all(rooms.map((roomId) => alice.ok('GET', `/rooms/${roomId}/state/m.room.member/${alice.userId}`)));
    await alice.ok('PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alice' });
    expect(await members()).toMatchObject([{ displayname: 'Alice' }, { displayname: 'Alice' }]);
    const v1 = `/_matrix/client/api/v1/profile/${alice.userId}/avatar_url?access_token=${alice.token}`;
    await alice.ok('PUT', v1, { avatar_url: 'mxc://a/b' });
    const shown = { membership: 'join', displayname: 'Alice', avatar_url: 'mxc://a/b' };
    expect(await members()).toMatchObject([shown, shown]);
  });
});

describe('a name that is not for everybody', () => {
  const NAME = 'Zephyrine';
  const member = (who: TestUser, roomId: string): Promise<unknown> =>
    who.ok('GET', `/rooms/${roomId}/state/m.room.member/${who.userId}`);
  const readers = (who: TestUser, list: readonly string[]): Promise<unknown> =>
    who.ok('PUT', `/_matrix/client/unstable/dev.annals.profile/${who.userId}/displayname/readers`, { readers: list });
  const found = async (reader: TestUser): Promise<unknown> =>
    (await reader.ok('POST', '/user_directory/search', { search_term: NAME })).results;

  it('is in no member event, and told by the directory to who may read it', async () => {
    const [zoe, mate, stranger] = [
      await app.register('zoe'),
      await app.register('mate'),
      await app.register('stranger'),
    ];
    const roomId = await zoe.createRoom({ preset: 'public_chat' });
    await mate.ok('POST', `/rooms/${roomId}/join`, {});
    await zoe.ok('PUT', `/profile/${zoe.userId}/displayname`, { displayname: NAME });
    expect(await member(zoe, roomId)).toEqual({ membership: 'join', displayname: NAME });
    expect(await found(stranger)).toMatchObject([{ user_id: zoe.userId, display_name: NAME }]);
    await readers(zoe, ['rooms']);
    expect(await member(zoe, roomId)).toEqual({ membership: 'join' });
    const later = await zoe.createRoom();
    expect(await member(zoe, later)).toEqual({ membership: 'join' });
    expect(await found(mate)).toMatchObject([{ user_id: zoe.userId, display_name: NAME }]);
    expect(await found(stranger)).toEqual([]);
    const field = (who: TestUser): Promise<unknown> => who.ok('GET', `/profile/${zoe.userId}/displayname`);
    expect(await field(mate)).toEqual({ displayname: NAME });
    expect(await field(stranger)).toEqual({});
    await readers(zoe, ['everybody']);
    expect(await member(zoe, later)).toEqual({ membership: 'join', displayname: NAME });
    expect(await found(stranger)).toMatchObject([{ user_id: zoe.userId, display_name: NAME }]);
  });
});
