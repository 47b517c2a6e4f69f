import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { parseDeviceUpdate, parseRemoteDevices, parseSigningKeys } from './parse-remote-devices.js';

const bob = '@bob:b.example' as UserId;
const keysOf = (device: string, more: JsonObject = {}): JsonObject => ({ user_id: bob, device_id: device, ...more });
const signingKey = (more: JsonObject = {}): JsonObject => ({ user_id: bob, keys: { 'ed25519:K': 'K' }, ...more });

describe('a list of devices that another server tells', () => {
  const list = (more: JsonObject = {}): JsonObject => ({ user_id: bob, stream_id: 5, devices: [], ...more });

  it('has the devices, their names and the keys that say whose they are', () => {
    const devices = [
      { device_id: 'A', keys: keysOf('A'), device_display_name: 'phone' },
      { device_id: 'B', keys: keysOf('A') },
      { device_id: 'C', keys: keysOf('C', { user_id: '@eve:b.example' }), device_display_name: 7 },
      { device_id: '' },
      { device_id: 'x'.repeat(256) },
      { keys: keysOf('D') },
      'E',
    ];
    expect(parseRemoteDevices(bob, list({ devices }))?.devices).toEqual([
      { device_id: 'A', keys: keysOf('A'), device_display_name: 'phone' },
      { device_id: 'B' },
      { device_id: 'C' },
    ]);
  });

  it('is none where it is of somebody else, has no place in their order, or is too large', () => {
    expect(parseRemoteDevices(bob, list())).toEqual({ stream_id: 5, devices: [] });
    for (const more of [{ user_id: '@eve:b.example' }, { stream_id: 1.5 }, { stream_id: '5' }, { devices: {} }])
      expect(parseRemoteDevices(bob, list(more))).toBeUndefined();
    const named = (bytes: number): JsonObject =>
      list({ devices: [{ device_id: 'A', device_display_name: 'x'.repeat(bytes) }] });
    expect(parseRemoteDevices(bob, named(100_000))).toBeDefined();
    expect(parseRemoteDevices(bob, named(2_000_000))).toBeUndefined();
  });
});

describe('an update of a device that another server tells', () => {
  const update = (more: JsonObject = {}): JsonObject => ({ user_id: bob, device_id: 'A', stream_id: 6, ...more });

  it('follows those that it names, and none where it names none', () => {
    expect(parseDeviceUpdate(update())).toEqual({
      userId: bob,
      update: { stream_id: 6, device_id: 'A' },
      previous: [],
    });
    expect(parseDeviceUpdate(update({ prev_id: [5, '4', 3.5, 3] }))?.previous).toEqual([5, 3]);
  });

  it('says that the device is gone where it says so, and nothing else of it', () => {
    expect(parseDeviceUpdate(update({ deleted: true }))?.update).toEqual({
      stream_id: 6,
      device_id: 'A',
      deleted: true,
    });
    for (const deleted of [false, 'true', 1])
      expect(parseDeviceUpdate(update({ deleted }))?.update).not.toHaveProperty('deleted');
  });

  it('is none without a user, a device or a place, or where it is too large', () => {
    const refused = [{ user_id: 7 }, { device_id: 7 }, { stream_id: '6' }, { prev_id: 5 }, { prev_id: {} }];
    for (const more of refused) expect(parseDeviceUpdate(update(more))).toBeUndefined();
    expect(parseDeviceUpdate(update({ device_display_name: 'x'.repeat(50_000) }))).toBeDefined();
    expect(parseDeviceUpdate(update({ device_display_name: 'x'.repeat(500_000) }))).toBeUndefined();
  });
});

it('cross-signing keys that another server tells are taken where they are one key each, of that user', () => {
  const [master_key, self_signing_key] = [signingKey(), signingKey({ usage: ['self_signing'] })];
  expect(parseSigningKeys(bob, { master_key, self_signing_key })).toEqual({ master_key, self_signing_key });
  const refused = [
    signingKey({ user_id: '@eve:b.example' }),
    signingKey({ keys: {} }),
    signingKey({ keys: { a: 'a', b: 'b' } }),
    signingKey({ keys: [] }),
    'key',
  ];
  for (const key of refused) expect(parseSigningKeys(bob, { master_key: key, self_signing_key: key })).toEqual({});
});
