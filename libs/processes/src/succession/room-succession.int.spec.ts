import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

let app: RoomsApp;
let alice: TestUser;
let bob: TestUser;

beforeAll(async () => {
  app = await startRoomsApp();
  alice = await app.register('alice');
  bob = await app.register('bob');
});
afterAll(() => app.close());

const tagsPath = (user: TestUser, roomId: string): string => `/user/${user.userId}/rooms/${roomId}/tags`;
const kept = { 'u.kept': { order: 0.5 } };

/** A room in which both have kept something about it. */
async function taggedRoom(): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.ok('POST', `/rooms/${roomId}/join`);
  for (const user of [alice, bob]) await user.ok('PUT', `${tagsPath(user, roomId)}/u.kept`, kept['u.kept']);
  return roomId;
}

/** A room that says it replaces the other. */
function claimedSuccessor(from: string): Promise<string> {
  return alice.createRoom({ preset: 'public_chat', creation_content: { predecessor: { room_id: from } } });
}

const tagsOf = async (user: TestUser, roomId: string): Promise<unknown> =>
  (await user.ok('GET', tagsPath(user, roomId))).tags;

describe('a room that is replaced by hand', () => {
  it('lets tags follow those who joined before its tombstone, and those who join after it', async () => {
    const from = await taggedRoom();
    const to = await claimedSuccessor(from);
    await bob.ok('POST', `/rooms/${to}/join`);
    const carol = await app.register('carol');
    await carol.ok('POST', `/rooms/${from}/join`);
    await carol.ok('PUT', `${tagsPath(carol, from)}/u.kept`, kept['u.kept']);
    for (const user of [alice, bob]) expect(await tagsOf(user, to)).toEqual({});
    await alice.ok('PUT', `/rooms/${from}/state/m.room.tombstone`, { body: 'moved', replacement_room: to });
    for (const user of [alice, bob]) expect(await tagsOf(user, to)).toEqual(kept);
    await carol.ok('POST', `/rooms/${to}/join`);
    expect(await tagsOf(carol, to)).toEqual(kept);
  });

  it('lets nothing follow where only one of the two rooms says so', async () => {
    const from = await taggedRoom();
    const [claimed, named] = [await claimedSuccessor(from), await alice.createRoom({ preset: 'public_chat' })];
    await alice.ok('PUT', `/rooms/${from}/state/m.room.tombstone`, { body: 'moved', replacement_room: named });
    for (const to of [claimed, named]) {
      await bob.ok('POST', `/rooms/${to}/join`);
      for (const user of [alice, bob]) expect(await tagsOf(user, to)).toEqual({});
    }
  });
});
