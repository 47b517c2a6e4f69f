import { expect, it } from 'vitest';
import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import { turnsOf } from '#testing/turns-of';
import type { Messages } from '../decide/check-messages.js';
import { addressHere } from './address-here.js';

const A = 'a.example' as ServerName;
const nobody = {
  scan: async () => [],
  getMany: async (_: unknown, keys: readonly unknown[]) => keys.map(() => undefined),
};

const to = (users: number, devices: readonly string[]): Messages =>
  new Map(
    Array.from({ length: users }, (_, i) => [
      `@u${i}:a.example` as UserId,
      new Map(devices.map((device) => [device as DeviceId, '{}'])),
    ]),
  );

it.each([
  ['users by the thousand', to(2_000, ['*'])],
  [
    'devices by the ten thousand',
    to(
      1,
      Array.from({ length: 50_000 }, (_, i) => `D${i}`),
    ),
  ],
])('lets everything else have its turn while %s are looked for', async (_, messages) => {
  expect(await turnsOf(() => addressHere(nobody, A, messages))).toBeGreaterThan(100);
});
