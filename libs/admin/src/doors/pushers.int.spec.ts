import { CommandBus } from '@nestjs/cqrs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AddThreepid } from '#accounts/commands/add-threepid';
import type { UserId } from '#kernel/ids';
import { registerAdmin, SHARED_SECRET } from '#testing/register-admin';
import { SyncApp, type SyncAnswer, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let admin: string;
let bob: SyncUser;
beforeAll(async () => {
  app = await SyncApp.start(undefined, {
    ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET,
    ANNALS_SMTP_URL: 'smtp://127.0.0.1:1',
  });
  admin = await registerAdmin({ call: (method, path, { token, body } = {}) => app.call(method, path, token, body) });
  bob = await app.register('bob');
});
afterAll(() => app.close());

const pushersOf = (user: string, token = admin): Promise<SyncAnswer> =>
  app.call('GET', `/_synapse/admin/v1/users/${encodeURIComponent(user)}/pushers`, token);

it('an operator sees where the notifications of a user go, by mail too', async () => {
  expect((await pushersOf(bob.userId)).body).toEqual({ pushers: [], total: 0 });
  const names = { app_display_name: 'App', device_display_name: 'A phone', lang: 'en' };
  const url = 'https://push.example.org/_matrix/push/v1/notify';
  const http = {
    app_id: 'org.example.app',
    pushkey: 'a key',
    kind: 'http',
    ...names,
    profile_tag: 'tag',
    data: { url },
  };
  const mail = { app_id: 'm.email', pushkey: 'bob@mail.example', kind: 'email', ...names, data: {} };
  const threepid = { medium: 'email', address: mail.pushkey } as const;
  const userId = bob.userId as UserId;
  await app.get(CommandBus).execute(new AddThreepid(userId, threepid, Date.now(), { actor: userId }));
  for (const pusher of [http, mail]) await bob.ok('POST', '/pushers/set', pusher);
  const { body } = await pushersOf(bob.userId);
  expect(body).toEqual({ pushers: [{ ...mail, profile_tag: '' }, http], total: 2 });
});

it('nobody else does, and of nobody else than users of this server', async () => {
  expect(await pushersOf(bob.userId, bob.token)).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  expect(await pushersOf('@bob:b.example')).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
  expect(await pushersOf('@nobody:a.example')).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
});
