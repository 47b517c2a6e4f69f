import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';

/** `ANNALS_KILLS=100` for the long run. */
const KILLS = Number(process.env['ANNALS_KILLS'] ?? 2);
/** Most of what a request writes is written so soon. */
const LONGEST_MS = 150;
const room = (roomId: string, ...more: string[]): string =>
  ['/rooms', encodeURIComponent(roomId), ...more.map(encodeURIComponent)].join('/');

let server: Homeserver;
let alice: Client;

beforeAll(async () => {
  server = await Homeserver.start();
  alice = await server.register('alice');
});
afterAll(() => server.remove());

const aliasPath = (name: string): string => `/directory/room/${encodeURIComponent(`#${name}:${server.serverName}`)}`;
const target = async (name: string): Promise<unknown> =>
  (await alice.request('GET', aliasPath(name))).body.room_id as unknown;
const stateOf = async (roomId: string, type: string): Promise<Record<string, unknown>> =>
  (await alice.request('GET', `${room(roomId)}/state/${type}`)).body as Record<string, unknown>;
const listed = async (): Promise<string[]> =>
  ((await alice.ok('GET', '/publicRooms')).chunk as { room_id: string }[]).map(({ room_id: roomId }) => roomId);

/** Asks, kills the server within a moment, starts it again; answers what was answered, if anything was. */
async function killedAfter<T>(asked: Promise<T>): Promise<T | undefined> {
  const answer = asked.catch(() => undefined);
  await delay(Math.random() * LONGEST_MS);
  await server.end('SIGKILL');
  const answered = await answer;
  await server.start();
  return answered;
}

describe('a server that is killed in the middle of a request', () => {
  test(
    `leaves no room upgraded by half, ${KILLS} times`,
    async () => {
      for (let kill = 0; kill < KILLS; kill++) {
        const names = [`main${kill}`, `other${kill}`];
        const options = { preset: 'public_chat', visibility: 'public', room_alias_name: names[0], room_version: '11' };
        const from = await alice.createRoom(options);
        await alice.ok('PUT', aliasPath(names[1]!), { room_id: from });
        const upgrade = () => alice.ok('POST', room(from, 'upgrade'), { new_version: '12' });
        const answer = (await killedAfter(upgrade()))?.replacement_room as string | undefined;
        const { replacement_room: before } = await stateOf(from, 'm.room.tombstone');
        if (answer !== undefined) expect(before).toBe(answer);
        if (before === undefined) {
          expect(await Promise.all(names.map(target))).toEqual([from, from]);
          expect(await listed()).toContain(from);
        } else await expect.poll(() => Promise.all(names.map(target))).toEqual([before, before]);
        const { replacement_room: to } = await upgrade();
        expect(to).toBe(before ?? to);
        await expect.poll(() => Promise.all(names.map(target))).toEqual([to, to]);
        await expect.poll(listed).toContain(to);
        await expect.poll(listed).not.toContain(from);
        await expect.poll(() => stateOf(from, 'm.room.power_levels')).toMatchObject({ events_default: 50 });
        expect(await stateOf(to, 'm.room.canonical_alias')).toMatchObject({
          alias: `#${names[0]}:${server.serverName}`,
        });
        expect(await stateOf(from, 'm.room.canonical_alias')).toEqual({});
      }
    },
    KILLS * 60_000,
  );

  test(
    `leaves no alias without its room and no account without its device, ${KILLS} times`,
    async () => {
      for (let kill = 0; kill < KILLS; kill++) {
        const name = `new${kill}`;
        const create = () => alice.ok('POST', '/createRoom', { room_alias_name: name });
        const answer = (await killedAfter(create()))?.room_id as string | undefined;
        const begun = await target(name);
        if (answer !== undefined) expect(begun).toBe(answer);
        const roomId = (begun ?? (await create()).room_id) as string;
        expect(await target(name)).toBe(roomId);
        expect(await stateOf(roomId, 'm.room.canonical_alias')).toMatchObject({
          alias: `#${name}:${server.serverName}`,
        });

        const body = { username: `user${kill}`, password: 'secret', auth: { type: 'm.login.dummy' } };
        const register = () => server.request('POST', '/_matrix/client/v3/register', { body });
        const session = await killedAfter(register());
        if (session?.status === 200) {
          const token = session.body.access_token as string;
          expect((await server.request('GET', '/_matrix/client/v3/devices', { token })).body.devices).toHaveLength(1);
        }
        const again = await register();
        if (again.status !== 200) expect(again.body.errcode).toBe('M_USER_IN_USE');
        const identifier = { type: 'm.id.user', user: body.username };
        const login = { type: 'm.login.password', identifier, password: body.password };
        const { body: here } = await server.request('POST', '/_matrix/client/v3/login', { body: login });
        const token = here.access_token as string;
        expect((await server.request('GET', '/_matrix/client/v3/devices', { token })).body.devices).toHaveLength(2);
      }
    },
    KILLS * 60_000,
  );
});
