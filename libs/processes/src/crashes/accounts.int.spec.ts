import { CommandBus } from '@nestjs/cqrs';
import { describe, expect, it, test } from 'vitest';
import { RegisterAccount } from '#accounts/commands/register-account';
import { FirstRegistrationToken } from '#accounts/first-registration-token';
import { RegistrationTokens } from '#accounts/registration-tokens';
import { endAtEachStep } from '#testing/end-at-each-step';
import { MemoryReadModels } from '#testing/memory-read-models';
import { roomPath, type SyncAnswer, SyncApp, type SyncUser } from '#testing/sync-app';
import { UncertainEventStore } from '#testing/uncertain-event-store';

const MINUTES = 10 * 60_000;
const V3 = '/_matrix/client/v3';
const logIn = (app: SyncApp, user: string, password: string): Promise<SyncAnswer> =>
  app.call('POST', `${V3}/login`, undefined, {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user },
    password,
  });
const ofAlice = {
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: 'alice' },
  password: 'password of alice',
};
const registerWith = (app: SyncApp, registrationToken: string, username: string): Promise<unknown> =>
  app
    .get(CommandBus)
    .execute(new RegisterAccount({ username, password: 'p', via: 'registration-token', registrationToken }));
const timesOf = async (user: SyncUser, roomId: string, type: string): Promise<number> => {
  const { chunk } = await user.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=100`);
  return (chunk as { type: string }[]).filter((event) => event.type === type).length;
};

test('an account that was made although nobody was told has used its token', async () => {
  const log = new UncertainEventStore();
  const app = await SyncApp.start({ store: log, readModels: new MemoryReadModels() });
  await app.get(RegistrationTokens).create('once', { uses_allowed: 1 }, { actor: 'server' });
  const append = log.append.bind(log);
  log.append = (stream, ...rest) => {
    if (stream !== 'user-@carol:a.example') return append(stream, ...rest);
    log.append = append;
    log.breakNext('done');
    return append(stream, ...rest);
  };
  await expect(registerWith(app, 'once', 'carol')).rejects.toThrow('was lost');
  expect((await logIn(app, 'carol', 'p')).status).toBe(200);
  await expect(registerWith(app, 'once', 'dave')).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  await app.close();
});

describe('a process that ends', () => {
  it(
    'while an account is registered leaves all of it or nothing',
    async () => {
      const body = { username: 'carol', password: 'of carol', device_id: 'D', auth: { type: 'm.login.dummy' } };
      await endAtEachStep({
        prepare: async () => undefined,
        act: async (app) => (await app.call('POST', `${V3}/register`, undefined, body)).body.access_token,
        async check(app, _, token: string | undefined) {
          if (token !== undefined) {
            expect((await app.call('GET', `${V3}/account/whoami`, token)).body).toMatchObject({ device_id: 'D' });
          }
          const again = await app.call('POST', `${V3}/register`, undefined, body);
          if (again.status !== 200) expect(again.body.errcode).toBe('M_USER_IN_USE');
          const session = await logIn(app, 'carol', 'of carol');
          const { devices } = (await app.call('GET', `${V3}/devices`, session.body.access_token)).body;
          expect(devices).toHaveLength(2);
        },
      });
    },
    MINUTES,
  );

  it(
    'while an account is registered with the last use of a token leaves the use to the one who asks again',
    async () => {
      const register = (app: SyncApp, username: string): Promise<unknown> => registerWith(app, 'once', username);
      await endAtEachStep({
        prepare: (app: SyncApp) => app.get(RegistrationTokens).create('once', { uses_allowed: 1 }, { actor: 'server' }),
        act: async (app) => {
          await register(app, 'carol');
          return true;
        },
        async check(app, _, answer) {
          const isThere = (await logIn(app, 'carol', 'p')).status === 200;
          if (answer !== undefined) expect(isThere).toBe(true);
          if (isThere) await expect(register(app, 'carol')).rejects.toMatchObject({ errcode: 'M_USER_IN_USE' });
          else await register(app, 'carol');
          expect((await logIn(app, 'carol', 'p')).status).toBe(200);
          await expect(register(app, 'dave')).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
        },
      });
    },
    MINUTES,
  );

  it(
    'while the first token is shown has shown one, or the next one does',
    async () => {
      let shown: readonly string[] = [];
      const show = (app: SyncApp, to: string[]): Promise<void> =>
        app.get(FirstRegistrationToken).issue((token) => to.push(token));
      const steps = await endAtEachStep({
        settings: { ANNALS_REGISTRATION: 'token' },
        prepare: async () => undefined,
        async act(app) {
          const now: string[] = [];
          shown = now;
          await show(app, now);
        },
        async check(app) {
          const [before, again]: [string[], string[]] = [[...shown], []];
          await show(app, again);
          expect(before.length + again.length).toBeGreaterThan(0);
          for (const token of [...before, ...again]) {
            expect(await app.get(RegistrationTokens).isUsable(token)).toBe(true);
          }
          await show(app, again);
          expect(again.length).toBeLessThan(2);
        },
      });
      expect(steps).toBeGreaterThan(2);
    },
    MINUTES,
  );

  it(
    'while a password changes, and while a user logs out everywhere, ends all sessions or none',
    async () => {
      await endAtEachStep({
        async prepare(app: SyncApp) {
          const alice = await app.register('alice');
          return { alice, other: await alice.logIn() };
        },
        async act(app, { alice }) {
          await alice.on(app).ok('POST', '/account/password', { new_password: 'new', auth: ofAlice });
          await alice.on(app).ok('POST', '/logout/all', {});
          return true;
        },
        async check(app, { alice, other }, answer) {
          const changed = (await logIn(app, 'alice', 'new')).status === 200;
          const [mine, others] = [await alice.on(app).call('GET', '/sync'), await other.on(app).call('GET', '/sync')];
          if (answer !== undefined) expect([changed, mine.status]).toEqual([true, 401]);
          expect(others.status).toBe(changed ? 401 : 200);
          if (!changed) await alice.on(app).ok('POST', '/account/password', { new_password: 'new', auth: ofAlice });
          if (mine.status === 200) await alice.on(app).ok('POST', '/logout/all', {});
          for (const user of [alice, other]) expect((await user.on(app).call('GET', '/sync')).status).toBe(401);
          expect((await logIn(app, 'alice', 'new')).status).toBe(200);
        },
      });
    },
    MINUTES,
  );

  it(
    'while an account is closed leaves it open, or the next one lets it leave each of its rooms once',
    async () => {
      await endAtEachStep({
        async prepare(app: SyncApp) {
          const [alice, bob] = [await app.register('alice'), await app.register('bob')];
          const rooms: string[] = [];
          for (let i = 0; i < 3; i++) rooms.push(await bob.createRoom({ preset: 'public_chat' }));
          for (const roomId of rooms) await alice.join(roomId);
          return { alice, bob, rooms };
        },
        act: (app, { alice }) => alice.on(app).ok('POST', '/account/deactivate', { auth: ofAlice }),
        async check(app, before, answer) {
          const [alice, bob] = [before.alice.on(app), before.bob.on(app)];
          const again = await alice.call('POST', '/account/deactivate', { auth: ofAlice });
          if (answer !== undefined) expect(again.status).toBe(401);
          expect((await logIn(app, 'alice', 'password of alice')).status).toBe(403);
          for (const roomId of before.rooms) {
            const { joined } = await bob.ok('GET', `${roomPath(roomId)}/joined_members`);
            expect(Object.keys(joined)).toEqual([bob.userId]);
            expect(await timesOf(bob, roomId, 'm.room.member')).toBe(3);
          }
        },
      });
    },
    MINUTES,
  );

  it(
    'while a name changes leaves the old one, or the next one tells every room once',
    async () => {
      await endAtEachStep({
        async prepare(app: SyncApp) {
          const alice = await app.register('alice');
          return { alice, rooms: [await alice.createRoom(), await alice.createRoom()] };
        },
        act: (app, { alice }) =>
          alice.on(app).ok('PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alice' }),
        async check(app, before) {
          const alice = before.alice.on(app);
          await alice.ok('PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alice' });
          for (const roomId of before.rooms) {
            const member = await alice.ok('GET', `${roomPath(roomId)}/state/m.room.member/${alice.userId}`);
            expect(member.displayname).toBe('Alice');
            expect(await timesOf(alice, roomId, 'm.room.member')).toBe(2);
          }
        },
      });
    },
    MINUTES,
  );
});
