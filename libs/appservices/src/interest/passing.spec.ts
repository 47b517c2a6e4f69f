import { describe, expect, it } from 'vitest';
import type { DeviceId, UserId } from '#kernel/ids';
import { Passing } from './passing.js';

const user = (n: number): UserId => `@user${n}:example.org` as UserId;

describe('what passes', () => {
  it('is taken out in parts of which none is long, each thing once', () => {
    const all = new Passing();
    all.addLists({ changed: Array.from({ length: 5_000 }, (_, n) => user(n)), left: [] });
    all.addLists({ changed: [], left: Array.from({ length: 2_500 }, (_, n) => user(n)) });
    for (let n = 0; n < 1_000; n++) {
      all.addEphemeral(JSON.stringify({ n }));
      const device = { userId: user(n), deviceId: 'D' as DeviceId };
      all.addDevice({ ...device, after: { counts: {}, unused_fallback: [] } });
      all.addDevice({ ...device, after: { counts: {}, unused_fallback: [`type-${n}`] } });
    }
    const text = JSON.stringify(all.told);
    const told = { events: [] as unknown[], changed: [] as UserId[], left: [] as UserId[], devices: {} as object };
    while (all.size > 0) {
      const part = all.takeSome(10_000).told!;
      expect(Object.values(part).join('').length).toBeLessThan(12_000);
      const read = (key: string): unknown => JSON.parse(part[key] ?? 'null') as unknown;
      const lists = read('device_lists') as { changed: UserId[]; left: UserId[] } | null;
      told.events.push(...((read('ephemeral') as unknown[] | null) ?? []));
      told.changed.push(...(lists?.changed ?? []));
      told.left.push(...(lists?.left ?? []));
      Object.assign(told.devices, read('device_unused_fallback_key_types'));
    }
    expect(all.text).toBe(0);
    expect(text.length).toBeGreaterThan(100_000);
    expect(told.events).toEqual(Array.from({ length: 1_000 }, (_, n) => ({ n })));
    expect(told.left).toEqual(Array.from({ length: 2_500 }, (_, n) => user(n)));
    expect(told.changed).toEqual(Array.from({ length: 2_500 }, (_, n) => user(n + 2_500)));
    expect(told.devices).toMatchObject({ [user(7)]: { D: ['type-7'] } });
    expect(Object.keys(told.devices)).toHaveLength(1_000);
  });

  it('is taken out where one thing alone is longer', () => {
    const all = new Passing();
    all.addEphemeral('"a long one"', '"another"');
    expect([all.takeSome(5).told, all.takeSome(5).told]).toEqual([
      { ephemeral: '["a long one"]' },
      { ephemeral: '["another"]' },
    ]);
    expect(all.told).toBeUndefined();
  });
});
