import { expect, test } from 'vitest';
import { AuthNotes } from '#accounts/interactive-auth/auth-notes';
import type { UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { parseScope } from './decide/scope.js';
import { DeviceRequests } from './device-requests.js';

const [ALICE, BOB, CLIENT] = ['@alice:a.example' as UserId, '@bob:a.example' as UserId, 'an application'];
const MINUTE = 60_000;

const SCOPE = parseScope('urn:matrix:client:api:* urn:matrix:client:device:PHONE');
const client = {
  client_uri: 'https://app.example/',
  redirect_uris: [],
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code' as const],
  response_types: [],
  token_endpoint_auth_method: 'none' as const,
  application_type: 'native' as const,
};

test('a device that was let in has its session after a restart, and no other application has', async () => {
  let now = 0;
  const clock = { now: () => now };
  const store = new MemoryEventStore();
  const start = (): DeviceRequests => new DeviceRequests(clock, new AuthNotes(store, clock));
  const before = start();
  const begin = () => before.begin({ clientId: CLIENT, client, scope: SCOPE });
  const [letIn, refused, open] = [begin(), begin(), begin()];
  const [device, other] = [before.find(letIn.user_code)!, before.find(refused.user_code)!];
  await before.settle(device, ALICE);
  await before.settle(other, 'denied');
  await before.settle(other, ALICE);
  expect(await before.userOf(letIn.device_code, CLIENT)).toEqual({ userId: ALICE, grant: device.grant });
  await expect(before.userOf(refused.device_code, CLIENT)).rejects.toMatchObject({ code: 'access_denied' });

  const after = start();
  expect(await after.userOf(letIn.device_code, CLIENT)).toEqual({ userId: ALICE, grant: device.grant });
  await expect(after.userOf(letIn.device_code, 'another')).rejects.toMatchObject({ code: 'invalid_grant' });
  for (const { device_code: code } of [refused, open])
    await expect(after.userOf(code, CLIENT)).rejects.toMatchObject({ code: 'expired_token' });
  now += 15 * MINUTE;
  await expect(after.userOf(letIn.device_code, CLIENT)).rejects.toMatchObject({ code: 'expired_token' });
});

test('a device is let in by one user, the first of those who come with its code', async () => {
  const clock = { now: () => 0 };
  const devices = new DeviceRequests(clock, new AuthNotes(new MemoryEventStore(), clock));
  const { user_code: code, device_code: deviceCode } = devices.begin({ clientId: CLIENT, client, scope: SCOPE });
  const device = devices.find(code)!;
  expect([devices.claim(device, ALICE), devices.claim(device, BOB), devices.claim(device, ALICE)]).toEqual([
    true,
    false,
    true,
  ]);
  expect(devices.outcomeBy(ALICE, code)).toBeUndefined();
  expect(await devices.settle(device, ALICE)).toBe(ALICE);
  expect(await devices.settle(device, 'denied')).toBe(ALICE);
  expect([devices.outcomeBy(ALICE, code), devices.outcomeBy(BOB, code)]).toEqual([ALICE, undefined]);
  expect([devices.find(code), devices.claim(device, ALICE), devices.claim(device, BOB)]).toEqual([
    undefined,
    false,
    false,
  ]);
  expect((await devices.userOf(deviceCode, CLIENT)).userId).toBe(ALICE);
});
