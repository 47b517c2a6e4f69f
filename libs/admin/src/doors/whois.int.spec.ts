import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registerAdmin, SHARED_SECRET } from '#testing/register-admin';
import { type RoomsApp, startRoomsApp } from '#testing/rooms-app';

let app: RoomsApp;
beforeEach(async () => void (app = await startRoomsApp([], { ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET })));
afterEach(() => app.close());

describe('from where the devices of a user come', () => {
  it('is told to them and to administrators, and to nobody else', async () => {
    const [alice, bob] = [await app.register('alice'), await app.register('bob')];
    const admin = await registerAdmin(app);
    const path = `/_matrix/client/v3/admin/whois/${encodeURIComponent(alice.userId)}`;
    const before = Date.now();
    await alice.ok('GET', '/account/whoami');
    for (const token of [alice.token, admin]) {
      const { body } = await app.call('GET', path, { token });
      expect(body.user_id).toBe(alice.userId);
      const [device] = Object.values<any>(body.devices); // oxlint-disable-line typescript/no-explicit-any -- an answer
      expect(device.sessions).toEqual([
        { connections: [{ ip: '127.0.0.1', last_seen: expect.any(Number), user_agent: expect.any(String) }] },
      ]);
      expect(device.sessions[0].connections[0].last_seen).toBeGreaterThanOrEqual(before);
    }
    const { status, body } = await app.call('GET', path, { token: bob.token });
    expect([status, body.errcode]).toEqual([403, 'M_FORBIDDEN']);
    const { devices } = await alice.ok('GET', '/devices');
    expect(devices).toMatchObject([{ last_seen_ip: '127.0.0.1' }]);
  });

  it('is not told of who is not there, nor of before they came', async () => {
    const token = await registerAdmin(app);
    const of = (user: string): ReturnType<RoomsApp['call']> =>
      app.call('GET', `/_matrix/client/v3/admin/whois/${encodeURIComponent(user)}`, { token });
    expect((await of('@nobody:a.example')).body.errcode).toBe('M_NOT_FOUND');
    expect((await of('@alice:b.example')).body.errcode).toBe('M_NOT_FOUND');
    expect((await of('nobody')).status).toBe(400);
  });
});
