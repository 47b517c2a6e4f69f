import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RoomsApp, startRoomsApp } from '#testing/rooms-app';

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
