import { expect, test } from 'vitest';
import { AuthNotes } from '#accounts/interactive-auth/auth-notes';
import type { UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { parseScope } from './decide/scope.js';
import { DeviceRequests } from './device-requests.js';

const [ALICE, CLIENT] = ['@alice:a.example' as UserId, 'an application'];
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
