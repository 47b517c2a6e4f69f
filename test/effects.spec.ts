import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';
import { describeWithLogs } from './support/stores.js';

const START = fileURLToPath(new URL('../apps/start.mjs', import.meta.url));
/** `ANNALS_KILLS=100` for the long run. */
const KILLS = Number(process.env['ANNALS_KILLS'] ?? 2);
const USERS = 8;
const ROOMS = 60;

const room = (roomId: string, ...more: string[]): string =>
  ['/rooms', encodeURIComponent(roomId), ...more.map(encodeURIComponent)].join('/');
const tagsOf = (user: Client, roomId: string): string => `/user/${encodeURIComponent(user.userId)}${room(roomId)}/tags`;
const rulePath = (roomId: string): string => `/pushrules/global/room/${encodeURIComponent(roomId)}`;
const directPath = (user: Client): string => `/user/${encodeURIComponent(user.userId)}/account_data/m.direct`;

// Servers and commands are started.
vi.setConfig({ testTimeout: 120_000 });

describeWithLogs('effects', (log) => {
  let server: Homeserver;
  let alice: Client;
  let users: Client[];

  beforeAll(async () => {
    server = await Homeserver.start({ log });
    alice = await server.register('alice');
    users = [];
    for (let i = 0; i < USERS; i++) users.push(await server.register(`user${i}`));
  });
  afterAll(() => server.remove());

  /** A room in which everybody keeps something about it, and the room that replaces it. */
  async function upgradedRoom(): Promise<{ from: string; to: string }> {
    const from = await alice.createRoom({ preset: 'public_chat', room_version: '11' });
    for (const user of users) {
      await user.ok('POST', room(from, 'join'), {});
      await user.ok('PUT', `${tagsOf(user, from)}/u.kept`, { order: 0.5 });
      await user.ok('PUT', rulePath(from), { actions: ['notify'] });
      await user.ok('PUT', directPath(user), { [alice.userId]: [from] });
    }
    const { replacement_room: to } = await alice.ok('POST', room(from, 'upgrade'), { new_version: '11' });
    return { from, to };
  }

  /** What of all that a user finds in the new room. */
  async function found(user: Client, to: string): Promise<unknown> {
    const { tags } = await user.ok('GET', tagsOf(user, to));
    const direct = await user.ok('GET', directPath(user));
    const { status } = await user.request('GET', rulePath(to));
    return { tags, direct: direct[alice.userId]?.includes(to), rule: status };
  }
  const EVERYTHING = { tags: { 'u.kept': { order: 0.5 } }, direct: true, rule: 200 };

  async function membersOf(roomId: string): Promise<Set<string>> {
    return new Set(Object.keys((await alice.ok('GET', room(roomId, 'joined_members'))).joined));
  }

  describe('what follows from a request', () => {
    test('is there when its answer is: what a user kept about a room, in the room that replaces it', async () => {
      const { to } = await upgradedRoom();
      const doors = [room(to, 'join'), `/_matrix/client/api/v1${room(to, 'join')}`, `/join/${encodeURIComponent(to)}`];
      for (const [i, user] of users.entries()) {
        if (i === 0) await user.ok('PUT', room(to, 'state', 'm.room.member', user.userId), { membership: 'join' });
        else if (i % 3 === 1) {
          const { status } = await server.request('POST', `${doors[1]}?access_token=${user.token}`, { body: {} });
          expect(status).toBe(200);
        } else await user.ok('POST', doors[i % 3]!, {});
        expect(await found(user, to)).toEqual(EVERYTHING);
      }
    });

    test('happens once: what the user changes of it afterwards is theirs', async () => {
      const { to } = await upgradedRoom();
      const user = users[0]!;
      await user.ok('POST', room(to, 'join'), {});
      await user.ok('DELETE', `${tagsOf(user, to)}/u.kept`);
      await user.ok('DELETE', rulePath(to));
      await user.ok('PUT', directPath(user), {});
      await user.ok('POST', room(to, 'leave'), {});
      await user.ok('POST', room(to, 'join'), {});
      await server.end('SIGKILL');
      server.removeViews();
      await server.start();
      await delay(500);
      expect(await found(user, to)).toEqual({ tags: {}, direct: undefined, rule: 404 });
    });

    test('is there when its answer is: the rooms of a closed account, the guests of a room that closes', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat' });
      await alice.ok('PUT', room(roomId, 'state', 'm.room.guest_access'), { guest_access: 'can_join' });
      const { body: guest } = await server.request('POST', '/_matrix/client/v3/register?kind=guest', { body: {} });
      const token = guest.access_token as string;
      await server.request('POST', `/_matrix/client/v3${room(roomId, 'join')}`, { token, body: {} });
      const eve = await server.register('eve');
      await eve.ok('POST', room(roomId, 'join'), {});
      expect(await membersOf(roomId)).toEqual(new Set([alice.userId, eve.userId, guest.user_id]));
      await alice.ok('PUT', room(roomId, 'state', 'm.room.guest_access'), { guest_access: 'forbidden' });
      expect(await membersOf(roomId)).toEqual(new Set([alice.userId, eve.userId]));
      const auth = { type: 'm.login.password', user: 'eve', password: 'the password of eve' };
      await eve.ok('POST', '/account/deactivate', { auth });
      expect(await membersOf(roomId)).toEqual(new Set([alice.userId]));
    });

    test('follows with the next start where an account is closed on a stopped server', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat' });
      const frank = await server.register('frank');
      await frank.ok('POST', room(roomId, 'join'), {});
      await server.end();
      const args = [START, 'cli', 'users', 'deactivate', 'frank', '--data', server.directory];
      const env = { PATH: process.env['PATH'], ...server.settings };
      const annals = spawn(process.execPath, args, { env, stdio: 'ignore' });
      expect(await new Promise((resolve) => annals.once('exit', resolve))).toBe(0);
      server.removeViews();
      await server.start();
      await expect.poll(() => membersOf(roomId)).toEqual(new Set([alice.userId]));
    });
  });

  describe('a server that is killed between a fact and what follows from it', () => {
    test(
      `does it after the next start, also without its views, ${KILLS} times`,
      async () => {
        const rooms: string[] = [];
        for (let i = 0; i < ROOMS; i++) rooms.push(await alice.createRoom({ preset: 'public_chat' }));
        for (let kill = 0; kill < KILLS; kill++) {
          const { to } = await upgradedRoom();
          const gone = await server.register(`gone${kill}`);
          for (const roomId of rooms) await gone.ok('POST', room(roomId, 'join'), {});

          const auth = { type: 'm.login.password', user: `gone${kill}`, password: `the password of gone${kill}` };
          const asked = [
            gone.request('POST', '/account/deactivate', { auth }),
            ...users.map((user) => user.request('POST', room(to, 'join'), {})),
          ].map((each) => each.catch(() => undefined));
          // It has begun to leave its rooms, and is in most of them.
          const isBegun = async (): Promise<boolean> => !(await membersOf(rooms[0]!)).has(gone.userId);
          await expect.poll(isBegun, { interval: 1 }).toBe(true);
          await server.end('SIGKILL');
          await Promise.all(asked);
          if (kill % 2 === 1) server.removeViews();
          await server.start();

          for (const roomId of rooms) {
            await expect.poll(() => membersOf(roomId)).not.toContain(gone.userId);
          }
          const members = await membersOf(to);
          for (const user of users.filter(({ userId }) => members.has(userId))) {
            await expect.poll(() => found(user, to)).toEqual(EVERYTHING);
          }
        }
      },
      KILLS * 60_000,
    );
  });
});
