import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BY_SERVER } from '#accounts/accounts';
import { RestrictAccount } from '#accounts/commands/restrict-account';
import { OpenSession } from '#http/open-session';
import type { DeviceId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { type SyncAnswer, SyncApp, SyncUser, queryOf } from '#testing/sync-app';
import { RoomOverviews } from '../src/events/room-overviews.js';
import { Sync } from '../src/queries/sync.js';
import { SyncStreams } from '../src/streams/sync-streams.js';

let app: SyncApp;
let alice: SyncUser;
let users = 0;

beforeAll(async () => {
  app = await SyncApp.start();
  alice = await app.register('alice');
});
afterAll(() => app.close());

const UNKNOWN = { status: 401, body: { errcode: 'M_UNKNOWN_TOKEN' } };

interface Sessions {
  /** The session that ends. */
  readonly ending: SyncUser;
  /** Another one of the same user. */
  readonly other: SyncUser;
  readonly password: string;
  readonly refreshToken: string;
}

/** Somebody with two sessions in a room with alice. */
async function sessions(roomId: string): Promise<Sessions> {
  const username = `user${++users}`;
  const other = await app.register(username);
  await other.join(roomId);
  const identifier = { type: 'm.id.user', user: username };
  const password = `password of ${username}`;
  const login = { type: 'm.login.password', identifier, password, refresh_token: true };
  const { body } = await app.call('POST', '/_matrix/client/v3/login', undefined, login);
  const ending = new SyncUser(app, other.userId, body.access_token);
  return { ending, other, password, refreshToken: body.refresh_token };
}

const deviceOf = async (user: SyncUser): Promise<string> => (await user.ok('GET', '/account/whoami')).device_id;
const auth = ({ other, password }: Sessions): object => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: other.userId },
  password,
});

const ENDS: [string, (sessions: Sessions) => Promise<unknown>][] = [
  ['logout', ({ ending }) => ending.ok('POST', '/logout', {})],
  ['logout of all sessions', ({ other }) => other.ok('POST', '/logout/all', {})],
  [
    'the deletion of the device',
    async (all) => all.other.ok('DELETE', `/devices/${await deviceOf(all.ending)}`, { auth: auth(all) }),
  ],
  [
    'a new password that logs out the devices',
    (all) => all.other.ok('POST', '/account/password', { new_password: 'another one', auth: auth(all) }),
  ],
  ['the end of the account', (all) => all.other.ok('POST', '/account/deactivate', { auth: auth(all) })],
  [
    'another login on the same device',
    async (all) => {
      const login = { ...auth(all), device_id: await deviceOf(all.ending) };
      expect((await app.call('POST', '/_matrix/client/v3/login', undefined, login)).status).toBe(200);
    },
  ],
  [
    'the first use of refreshed tokens',
    async ({ ending, refreshToken }) => {
      const { access_token: token } = await ending.ok('POST', '/refresh', { refresh_token: refreshToken });
      await new SyncUser(app, ending.userId, token).ok('GET', '/account/whoami');
    },
  ],
];

describe('polls of a session that ends while they wait', () => {
  it.each(ENDS)('are refused by %s, by all doors, and tell nothing that was sent afterwards', async (_, end) => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const all = await sessions(roomId);
    const { ending } = all;
    const { next_batch: since } = await ending.sync();
    const from = (await ending.v1('GET', '/events?from=END')).body.end;
    const room = encodeURIComponent(roomId);
    const polls: Promise<SyncAnswer>[] = [
      ending.call('GET', `/sync?${queryOf({ since, timeout: 20_000 })}`),
      ending.call('GET', `/_matrix/client/v2_alpha/sync?${queryOf({ since, timeout: 20_000 })}`),
      ending.call('GET', `/events?from=${from}&timeout=20000`),
      ending.call('GET', `/events?room_id=${room}&from=${from}&timeout=20000`),
      ending.v1('GET', `/events?from=${from}&timeout=20000`),
    ];
    await new Promise((resolve) => setTimeout(resolve, 30));
    await end(all);
    await alice.send(roomId, 'a secret');
    for (const answer of await Promise.all(polls)) expect(answer).toMatchObject(UNKNOWN);
  });

  it.each(ENDS.slice(0, -1))(
    'are refused by %s also while devices are paused, and stay so over a restart',
    async (_, end) => {
      const all = await sessions(await alice.createRoom({ preset: 'public_chat' }));
      const { next_batch: since } = await all.ending.sync();
      await app.views.operations.pause('devices', 'to look at it');
      const poll = all.ending.call('GET', `/sync?${queryOf({ since, timeout: 20_000 })}`);
      await end(all);
      expect(await poll).toMatchObject(UNKNOWN);
      await app.restart();
      expect(await all.ending.call('GET', '/account/whoami')).toMatchObject(UNKNOWN);
      expect((await alice.call('GET', '/account/whoami')).status).toBe(200);
      await app.views.operations.resume('devices');
      await expect.poll(() => app.views.operations.status('devices')).toMatchObject({ state: 'live' });
      expect(await all.ending.call('GET', '/account/whoami')).toMatchObject(UNKNOWN);
    },
  );

  it('go on with tokens that were renewed while devices are paused: nobody is told meanwhile that there are none', async () => {
    const all = await sessions(await alice.createRoom({ preset: 'public_chat' }));
    const refresh = (token: string): Promise<SyncAnswer> =>
      app.call('POST', '/_matrix/client/v3/refresh', undefined, { refresh_token: token });
    await app.views.operations.pause('devices', 'to look at it');
    const { body: renewed } = await refresh(all.refreshToken);
    const user = new SyncUser(app, all.ending.userId, renewed.access_token);
    for (const restart of [async (): Promise<void> => {}, (): Promise<void> => app.restart()]) {
      await restart();
      expect((await user.call('GET', '/sync')).status).toBe(503);
      expect((await refresh(renewed.refresh_token)).status).toBe(503);
      expect((await all.ending.call('GET', '/account/whoami')).status).toBe(200);
    }
    await app.views.operations.resume('devices');
    await expect.poll(() => app.views.operations.status('devices')).toMatchObject({ state: 'live' });
    expect((await user.call('GET', '/sync')).status).toBe(200);
    await expect.poll(() => all.ending.call('GET', '/account/whoami')).toMatchObject(UNKNOWN);
  });

  it('go on waiting when another session of the user ends', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const { ending, other } = await sessions(roomId);
    const { next_batch: since } = await other.sync();
    const poll = other.sync({ since, timeout: 20_000 });
    await ending.ok('POST', '/logout', {});
    // Of that they hear: the user has one device less.
    const { next_batch: next, device_lists: lists } = await poll;
    expect(lists.changed).toEqual([other.userId]);
    const goesOn = other.sync({ since: next, timeout: 20_000 });
    await alice.send(roomId, 'hello');
    expect((await goesOn).rooms.join[roomId].timeline.events).toHaveLength(1);
  });

  it('are refused also where the session ends while their answer is made', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const initialSync = `/rooms/${encodeURIComponent(roomId)}/initialSync`;
    for (const path of ['/sync', '/sync?full_state=true', '/initialSync', initialSync]) {
      const { ending } = await sessions(roomId);
      const part = (path.startsWith('/sync') ? app.get(SyncStreams) : app.get(RoomOverviews)) as {
        read(...args: unknown[]): unknown;
      };
      const read = part.read.bind(part);
      const spy = vi.spyOn(part, 'read').mockImplementationOnce(async (...args) => {
        await ending.ok('POST', '/logout', {});
        return read(...args);
      });
      expect(await ending.call('GET', path), path).toMatchObject(UNKNOWN);
      expect(spy).toHaveBeenCalled();
      spy.mockRestore();
    }
  });

  it('are refused once their account is locked, by all doors, and go on where they were when it is no more', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const { ending } = await sessions(roomId);
    const { next_batch: since } = await ending.sync();
    const from = (await ending.v1('GET', '/events?from=END')).body.end;
    const polls: Promise<SyncAnswer>[] = [
      ending.call('GET', `/sync?${queryOf({ since, timeout: 20_000 })}`),
      ending.v1('GET', `/events?from=${from}&timeout=20000`),
    ];
    const lock = (isOn: boolean): Promise<void> =>
      app.get(CommandBus).execute(new RestrictAccount(ending.userId as UserId, 'locked', isOn, BY_SERVER));
    await lock(true);
    await alice.send(roomId, 'a secret');
    const locked = { status: 401, body: { errcode: 'M_USER_LOCKED', soft_logout: true } };
    for (const answer of await Promise.all(polls)) expect(answer).toMatchObject(locked);
    await lock(false);
    expect((await ending.sync({ since })).rooms.join[roomId].timeline.events).toHaveLength(1);
  });

  it('end softly at the very moment at which the token expires', async () => {
    const { next_batch: since } = await alice.sync();
    const expiry = Date.now() + 300;
    const session = new OpenSession(
      {
        async validUntil() {
          if (Date.now() >= expiry)
            throw new MatrixError('M_UNKNOWN_TOKEN', undefined, { fields: { soft_logout: true } });
          return expiry;
        },
      },
      'a token',
    );
    const requester = { userId: alice.userId as UserId, deviceId: 'D' as DeviceId, isAdmin: false, requestId: '' };
    const options = { since, fullState: false, stateAfter: undefined, timeout: 20_000 };
    const poll = app.get(QueryBus).execute(new Sync(requester, session, options, new AbortController().signal));
    await expect(poll).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN', fields: { soft_logout: true } });
    expect(Date.now() - expiry).toBeLessThan(15_000);
  });
});
