import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandBus } from '@nestjs/cqrs';
import { BY_SERVER } from '#accounts/accounts';
import { DeactivateAccount } from '#accounts/commands/deactivate-account';
import type { UserId } from '#kernel/ids';
import { registerAdmin, SHARED_SECRET } from '#testing/register-admin';
import { SyncApp, type SyncAnswer, type SyncUser } from '#testing/sync-app';
import { Erasures } from '../erasures/erasures.js';
import { ErasuresAgain } from '../erasures/erasures-again.js';

const ADMIN = '/_matrix/client/unstable/dev.annals.admin';

let app: SyncApp;
let admin: string;
let alice: SyncUser;
let bob: SyncUser;

beforeEach(async () => {
  const settings = { ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET, ANNALS_NOTICES_USER: 'notices' };
  app = await SyncApp.start(undefined, settings);
  admin = await registerAdmin({ call: (method, path, { token, body } = {}) => app.call(method, path, token, body) });
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
});
afterEach(() => app.close());

const erase = (token: string, user: string, body?: object): Promise<SyncAnswer> =>
  app.call('POST', `${ADMIN}/users/${encodeURIComponent(user)}/erase`, token, body);
const statusOf = async (id: string, token = admin): Promise<unknown> =>
  (await app.call('GET', `${ADMIN}/erasures/${id}`, token)).body;

describe('POST /_matrix/client/unstable/dev.annals.admin/users/{userId}/erase', () => {
  it('erases a user with what they said, for an administrator, and says what has gone', async () => {
    const room = await bob.createRoom({ preset: 'public_chat' });
    await alice.ok('POST', `/join/${room}`, {});
    const { event_id: said } = await alice.ok('PUT', `/rooms/${room}/send/m.room.message/t`, {
      msgtype: 'm.text',
      body: 'unmistakable',
    });
    const { status, body } = await erase(admin, alice.userId);
    expect(status).toBe(200);
    await expect
      .poll(() => statusOf(body.erasure_id))
      .toMatchObject({ user_id: alice.userId, status: 'complete', removed: { messages: 1 }, kept: {} });
    expect((await bob.ok('GET', `/rooms/${room}/event/${said}`)).content).toEqual({});
    expect((await alice.call('GET', '/account/whoami')).status).toBe(401);
  });

  it('leaves the user of whose notices all others have some', async () => {
    const notice = { user_id: alice.userId, content: { msgtype: 'm.text', body: 'hello' } };
    const notify = async (): Promise<number> =>
      (await app.call('POST', '/_synapse/admin/v1/send_server_notice', admin, notice)).status;
    expect(await notify()).toBe(200);
    const notices = '@notices:a.example' as UserId;
    expect((await erase(admin, notices)).body.errcode).toBe('M_FORBIDDEN');
    const close = await app.call('POST', `/_synapse/admin/v1/deactivate/${notices}`, admin, { erase: true });
    expect([close.status, close.body.errcode]).toEqual([403, 'M_FORBIDDEN']);
    for (const doErase of [true, false]) {
      const command = new DeactivateAccount(notices, doErase, BY_SERVER);
      await expect(app.get(CommandBus).execute(command)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    }
    // As a list of before has it.
    await app.get(ErasuresAgain).apply([{ user_id: notices, at: Date.now(), content: true }]);
    const [ordered] = [...(await app.get(Erasures).load()).values()];
    await expect
      .poll(() => statusOf(ordered!.erasure_id))
      .toMatchObject({ user_id: notices, status: 'failed', error: expect.stringContaining('ANNALS_NOTICES_USER') });
    expect(await notify()).toBe(200);
  });

  it('is for administrators, who do it to others that are none', async () => {
    expect((await erase(bob.token, alice.userId)).status).toBe(403);
    const { body: me } = await app.call('GET', '/_matrix/client/v3/account/whoami', admin);
    expect((await erase(admin, me.user_id)).body.errcode).toBe('M_FORBIDDEN');
    expect((await erase(admin, '@nobody:a.example')).status).toBe(404);
    expect((await erase(admin, '@alice:b.example')).body.errcode).toBe('M_INVALID_PARAM');
    expect((await erase(admin, alice.userId, { here: 'yes' })).status).toBe(400);
    expect(await statusOf('none')).toMatchObject({ errcode: 'M_NOT_FOUND' });
    expect(await statusOf('none', bob.token)).toMatchObject({ errcode: 'M_FORBIDDEN' });
    expect((await alice.call('GET', '/account/whoami')).status).toBe(200);
  });
});
