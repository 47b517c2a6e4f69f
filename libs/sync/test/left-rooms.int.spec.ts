import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start(undefined, { ANNALS_FORGET_LEFT_ROOMS: 'on' });
  [alice, bob] = await Promise.all([app.register('alice'), app.register('bob')]);
});
afterAll(() => app.close());

const WITH_LEFT = { filter: { room: { include_leave: true } } };
const leftOf = async (user: SyncUser): Promise<string[]> =>
  Object.keys((await user.sync(WITH_LEFT)).rooms?.leave ?? {});
const isForgotten = async (user: SyncUser, roomId: string): Promise<boolean> =>
  (await user.call('GET', `${roomPath(roomId)}/messages?dir=b`)).status === 403;

/** Bob in a room of Alice's that strangers cannot read. */
async function roomWithBob(): Promise<string> {
  const roomId = await alice.createRoom({ invite: [bob.userId] });
  await bob.join(roomId);
  return roomId;
}

/** Client-server API, "`m.forget_forced_upon_leave` capability". */
describe('who is in a room no more, where the server says that it forgets', () => {
  it('is told that it does', async () => {
    const { capabilities } = await bob.ok('GET', '/capabilities');
    expect(capabilities['m.forget_forced_upon_leave']).toEqual({ enabled: true });
  });

  const ways: readonly (readonly [string, (roomId: string) => Promise<unknown>])[] = [
    ['left', (roomId) => bob.leave(roomId)],
    ['was kicked', (roomId) => alice.ok('POST', `${roomPath(roomId)}/kick`, { user_id: bob.userId })],
    ['was banned', (roomId) => alice.ok('POST', `${roomPath(roomId)}/ban`, { user_id: bob.userId })],
  ];
  it.each(ways)('has forgotten it as if they had asked for that: %s', async (_, leave) => {
    const roomId = await roomWithBob();
    const { next_batch: since } = await bob.sync();
    await leave(roomId);
    // That they are not in it is news once, to every device; after that it is as to a stranger.
    expect(Object.keys((await bob.sync({ since })).rooms.leave)).toEqual([roomId]);
    expect(await leftOf(bob)).toEqual([]);
    expect(await isForgotten(bob, roomId)).toBe(true);
    await app.restart(true);
    expect(await leftOf(bob)).toEqual([]);
  });

  it('has forgotten an invitation that they turned down, and is there again once they are invited and join', async () => {
    const roomId = await alice.createRoom({ invite: [bob.userId] });
    await bob.leave(roomId);
    expect(await leftOf(bob)).toEqual([]);
    await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
    await bob.join(roomId);
    expect(Object.keys((await bob.sync()).rooms.join)).toContain(roomId);
    expect(await isForgotten(bob, roomId)).toBe(false);
  });

  it('is nobody who is still in it: others have forgotten nothing', async () => {
    const roomId = await roomWithBob();
    await bob.leave(roomId);
    expect(Object.keys((await alice.sync()).rooms.join)).toContain(roomId);
  });
});

describe('who has left a room, where the server does not forget', () => {
  it('is shown it by a filter, until they ask for it to be forgotten', async () => {
    const other = await SyncApp.start();
    try {
      const [carol, dave] = await Promise.all([other.register('carol'), other.register('dave')]);
      const roomId = await carol.createRoom({ invite: [dave.userId] });
      await dave.join(roomId);
      await dave.leave(roomId);
      expect(await leftOf(dave)).toEqual([roomId]);
      expect(await isForgotten(dave, roomId)).toBe(false);
      await dave.ok('POST', `${roomPath(roomId)}/forget`, {});
      expect(await leftOf(dave)).toEqual([]);
      expect(await isForgotten(dave, roomId)).toBe(true);
    } finally {
      await other.close();
    }
  });
});
