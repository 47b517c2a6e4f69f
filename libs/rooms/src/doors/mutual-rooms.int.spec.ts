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

const STABLE = '/_matrix/client/v1/mutual_rooms';
const UNSTABLE = '/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms';
const asking = (path: string, userId: string, from = ''): string =>
  `${path}?user_id=${encodeURIComponent(userId)}&from=${encodeURIComponent(from)}`;

describe('the rooms that one shares with somebody', () => {
  it('are those to which both are joined', async () => {
    const shared: string[] = [];
    for (const preset of ['public_chat', 'private_chat']) {
      const roomId = await alice.createRoom({ preset, invite: [bob.userId] });
      await bob.ok('POST', `/join/${roomId}`, {});
      shared.push(roomId);
    }
    await alice.createRoom({ preset: 'public_chat' });
    await bob.createRoom({ preset: 'public_chat' });
    await alice.createRoom({ invite: [bob.userId] });
    for (const path of [STABLE, UNSTABLE]) {
      expect(await alice.ok('GET', asking(path, bob.userId))).toEqual({
        joined: shared.toSorted(),
        count: 2,
      });
      expect(await bob.ok('GET', asking(path, '@ALICE:a.example'))).toMatchObject({ count: 2 });
    }
    await bob.ok('POST', `/rooms/${shared[0]}/leave`, {});
    expect(await alice.ok('GET', asking(STABLE, bob.userId))).toEqual({
      joined: [shared[1]],
      count: 1,
    });
  });

  it('are none with somebody whom nobody knows, and cannot be asked for of oneself or of no user', async () => {
    for (const nobody of ['@nobody:a.example', '@nobody:else.example']) {
      expect(await alice.ok('GET', asking(STABLE, nobody))).toEqual({
        joined: [],
        count: 0,
      });
    }
    const refused = ['bob', '@Ünicode:a.example', '@:a.example', alice.userId, '@ALICE:a.example'];
    for (const path of [STABLE, UNSTABLE]) {
      for (const userId of refused) {
        const { status, body } = await alice.call('GET', asking(path, userId));
        expect([userId, status, body.errcode]).toEqual([userId, 400, 'M_INVALID_PARAM']);
      }
      for (const none of [path, asking(path, '')])
        expect((await alice.call('GET', none)).body.errcode).toBe('M_MISSING_PARAM');
      const elsewhere = await alice.call('GET', asking(path, bob.userId, 'not a token'));
      expect(elsewhere).toMatchObject({
        status: 400,
        body: { errcode: 'M_INVALID_PARAM', error: 'from: not a token of this server' },
      });
    }
  });
});
