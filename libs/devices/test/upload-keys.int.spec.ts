import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SyncApp, type SyncUser } from '#testing/sync-app';

describe('POST /keys/upload', () => {
  let app: SyncApp;
  let alice: SyncUser;
  let deviceId: string;
  let count = 0;
  beforeAll(async () => void (app = await SyncApp.start()));
  afterAll(() => app.close());
  beforeEach(async () => {
    alice = await app.register(`alice${++count}`);
    deviceId = (await alice.ok('GET', '/account/whoami')).device_id;
  });

  const deviceKeys = (more: object = {}): object => ({
    user_id: alice.userId,
    device_id: deviceId,
    algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
    keys: { [`curve25519:${deviceId}`]: 'curve', [`ed25519:${deviceId}`]: 'ed' },
    signatures: { [alice.userId]: { [`ed25519:${deviceId}`]: 'signature' } },
    ...more,
  });
  const oneTimeKeys = (...ids: string[]): object =>
    Object.fromEntries(ids.map((id) => [`signed_curve25519:${id}`, { key: `key ${id}`, signatures: {} }]));
  const upload = async (body: object): Promise<readonly unknown[]> => {
    const answer = await alice.call('POST', '/keys/upload', body);
    return [answer.status, answer.body.errcode ?? answer.body.one_time_key_counts];
  };

  it('answers how many one-time keys can be claimed, none too', async () => {
    expect(await upload({})).toEqual([200, { signed_curve25519: 0 }]);
    expect(await upload({ device_keys: deviceKeys(), one_time_keys: null })).toEqual([200, { signed_curve25519: 0 }]);
    const one_time_keys = { ...oneTimeKeys('A', 'B'), 'curve25519:A': 'plain' };
    expect(await upload({ one_time_keys })).toEqual([200, { signed_curve25519: 2, curve25519: 1 }]);
    expect(await upload({ one_time_keys })).toEqual([200, { signed_curve25519: 2, curve25519: 1 }]);
    const r0 = await alice.call('POST', '/_matrix/client/r0/keys/upload', { one_time_keys: oneTimeKeys('C') });
    expect(r0.body).toEqual({ one_time_key_counts: { signed_curve25519: 3, curve25519: 1 } });
  });

  it('refuses another key under the same name, and takes nothing of that upload', async () => {
    await upload({ one_time_keys: oneTimeKeys('A') });
    const other = { ...oneTimeKeys('B'), 'signed_curve25519:A': { key: 'other', signatures: {} } };
    expect(await upload({ one_time_keys: other })).toEqual([400, 'M_INVALID_PARAM']);
    expect(await upload({})).toEqual([200, { signed_curve25519: 1 }]);
  });

  it.each([
    ['keys of another user', () => ({ device_keys: deviceKeys({ user_id: '@x:y' }) })],
    ['keys of another device', () => ({ device_keys: deviceKeys({ device_id: 'X' }) })],
    ['keys without algorithms', () => ({ device_keys: deviceKeys({ algorithms: undefined }) })],
    ['algorithms that are none', () => ({ device_keys: deviceKeys({ algorithms: [1] }) })],
    ['identity keys that are no texts', () => ({ device_keys: deviceKeys({ keys: { a: {} } }) })],
    ['keys without signatures', () => ({ device_keys: deviceKeys({ signatures: undefined }) })],
    ['signatures of no form', () => ({ device_keys: deviceKeys({ signatures: { a: 'b' } }) })],
    ['device keys that are no object', () => ({ device_keys: [] })],
    ['one-time keys that are no object', () => ({ one_time_keys: 'x' })],
    ['a one-time key without an algorithm', () => ({ one_time_keys: { A: 'x' } })],
    ['a one-time key with an empty id', () => ({ one_time_keys: { 'a:': 'x' } })],
    ['a one-time key whose name is long', () => ({ one_time_keys: { [`a:${'x'.repeat(255)}`]: 'x' } })],
    ['a one-time key that is a number', () => ({ one_time_keys: { 'a:b': 1 } })],
    ['a signed key without signatures', () => ({ one_time_keys: { 'a:b': { key: 'x' } } })],
    ['a fallback key of no form', () => ({ fallback_keys: { 'a:b': { signatures: {} } } })],
  ])('refuses %s', async (_, body) => {
    expect(await upload(body())).toEqual([400, 'M_BAD_JSON']);
  });

  it('keeps an algorithm of any name', async () => {
    const one_time_keys = JSON.parse('{"__proto__:a":"x","constructor:a":"y"}') as object;
    const { body } = await alice.call('POST', '/keys/upload', { one_time_keys });
    expect(JSON.stringify(body)).toBe('{"one_time_key_counts":{"signed_curve25519":0,"__proto__":1,"constructor":1}}');
  });

  it('begins anew after the device was logged out and in again', async () => {
    await upload({ device_keys: deviceKeys(), one_time_keys: oneTimeKeys('A', 'B') });
    await alice.ok('POST', '/logout', {});
    const login = { ...alice.auth, device_id: deviceId };
    const { body } = await app.call('POST', '/_matrix/client/v3/login', undefined, login);
    const again = await app.call('POST', '/_matrix/client/v3/keys/upload', body.access_token, {
      one_time_keys: { 'signed_curve25519:A': { key: 'another', signatures: {} } },
    });
    expect(again.body).toEqual({ one_time_key_counts: { signed_curve25519: 1 } });
  });
});
