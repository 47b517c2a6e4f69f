import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { type RoomsApp, startRoomsApp } from '#testing/rooms-app';

let app: RoomsApp;
afterEach(() => app.close());

const TURN = ['/_matrix/client/v3', '/_matrix/client/r0', '/_matrix/client/api/v1']
  .map((prefix) => `${prefix}/voip/turnServer`)
  .concat('/_matrix/client/api/v1/turnServer');
const RTC = ['/_matrix/client/v1/rtc/transports', '/_matrix/client/unstable/org.matrix.msc4143/rtc/transports'];

describe('what calls need of the server', () => {
  it('is told to users alone: where calls are relayed, and by what those of many are carried', async () => {
    app = await startRoomsApp([], {
      ANNALS_TURN_URIS: 'turn:turn.a.example?transport=udp,turns:turn.a.example',
      ANNALS_TURN_SECRET: 'a secret',
      ANNALS_TURN_LIFETIME: '600',
      ANNALS_LIVEKIT_SERVICE_URL: 'https://livekit.a.example/jwt',
    });
    const { token, userId } = await app.register('alice');
    for (const path of TURN) {
      const before = Math.floor(Date.now() / 1_000);
      const { body } = await app.call('GET', path, { token });
      expect(body).toMatchObject({ uris: ['turn:turn.a.example?transport=udp', 'turns:turn.a.example'], ttl: 600 });
      const [end, user] = [body.username.slice(0, 10), body.username.slice(11)];
      expect(user).toBe(userId);
      expect(Number(end) - before).toBeGreaterThanOrEqual(600);
      expect(Number(end) - before).toBeLessThanOrEqual(660);
      expect(body.password).toBe(createHmac('sha1', 'a secret').update(body.username).digest('base64'));
    }
    const transports = [{ type: 'livekit', livekit_service_url: 'https://livekit.a.example/jwt' }];
    for (const path of RTC)
      expect((await app.call('GET', path, { token })).body).toEqual({ transports: [], rtc_transports: transports });
    for (const path of [...TURN, ...RTC]) expect((await app.call('GET', path)).body.errcode).toBe('M_MISSING_TOKEN');
    const { body: known } = await app.call('GET', '/.well-known/matrix/client');
    expect(known['org.matrix.msc4143.rtc_foci']).toEqual(transports);
  });

  it('is nothing where nothing is set', async () => {
    app = await startRoomsApp();
    const { token } = await app.register('alice');
    for (const path of TURN) expect((await app.call('GET', path, { token })).body).toEqual({});
    for (const path of RTC)
      expect((await app.call('GET', path, { token })).body).toEqual({ transports: [], rtc_transports: [] });
    expect((await app.call('GET', '/.well-known/matrix/client')).body).not.toHaveProperty(
      'org.matrix.msc4143.rtc_foci',
    );
  });
});
