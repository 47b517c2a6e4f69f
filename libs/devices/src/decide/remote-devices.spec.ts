import { describe, expect, it } from 'vitest';
import type { DeviceId } from '#kernel/ids';
import type { RemoteDeviceFact } from '../facts/remote-device-facts.js';
import {
  decideDeviceUpdate,
  decideListed,
  decideSigningKeyUpdate,
  evolveRemoteDevices,
  type RemoteDevices,
} from './remote-devices.js';

const D = 'D' as DeviceId;
const after = (...facts: RemoteDeviceFact[]): RemoteDevices =>
  facts.reduce<RemoteDevices | undefined>(evolveRemoteDevices, undefined)!;
const LISTED: RemoteDeviceFact = { type: 'remote-devices-listed', data: { stream_id: 5, devices: [] } };
const updated = (streamId: number): RemoteDeviceFact => ({
  type: 'remote-device-updated',
  data: { stream_id: streamId, device_id: D },
});
const MISSED: RemoteDeviceFact = { type: 'remote-devices-missed', data: {} };
/** What comes of an update: the type of its fact. */
const decide = (list: RemoteDevices | undefined, id: number, previous: number[], isTracked = true): string[] => {
  const update = { stream_id: id, device_id: D };
  return decideDeviceUpdate(list, { update, previous }, isTracked).map(({ type }) => type);
};

describe('an update of a device', () => {
  it('is applied where all that is before it is here', () => {
    expect(decide(after(LISTED), 6, [5])).toEqual(['remote-device-updated']);
    expect(decide(after(LISTED, updated(6)), 8, [5, 6])).toEqual(['remote-device-updated']);
  });

  it('is missed where something before it is not, or it names nothing', () => {
    expect(decide(after(LISTED), 7, [6])).toEqual(['remote-devices-missed']);
    expect(decide(after(LISTED, updated(6)), 9, [6, 7])).toEqual(['remote-devices-missed']);
    expect(decide(after(LISTED), 6, [])).toEqual(['remote-devices-missed']);
  });

  it('is missed where there is no list, none that counts, or one of which something was missed already', () => {
    expect(decide(undefined, 6, [5])).toEqual(['remote-devices-missed']);
    expect(decide(after(LISTED), 6, [5], false)).toEqual(['remote-devices-missed']);
    expect(decide(after(LISTED, MISSED), 6, [5])).toEqual(['remote-devices-missed']);
  });

  it('is nothing where it is in the list already', () => {
    const list = after(LISTED, updated(6), updated(9));
    for (const id of [4, 5, 6, 9]) expect(decide(list, id, [3])).toEqual([]);
    // One that came late is not in it.
    expect(decide(list, 7, [6])).toEqual(['remote-device-updated']);
  });

  it('is missed where it says something else than the list by an id that is not new', () => {
    const list = after(LISTED, updated(6), updated(9));
    const gone = { device_id: D, deleted: true } as const;
    for (const id of [5, 6, 9]) {
      const decided = decideDeviceUpdate(list, { update: { stream_id: id, ...gone }, previous: [id - 1] }, true);
      expect(decided).toMatchObject([{ type: 'remote-devices-missed' }]);
    }
    const renamed = { stream_id: 9, device_id: D, device_display_name: 'Phone' };
    expect(decideDeviceUpdate(list, { update: renamed, previous: [6] }, true)).toHaveLength(1);
    expect(decideDeviceUpdate(after(LISTED), { update: { stream_id: 5, ...gone }, previous: [4] }, true)).toEqual([]);
  });

  it('is missed where with it more would be kept of the user than may be, as new cross-signing keys are', () => {
    const large = (n: number) => ({ stream_id: n, device_id: `D${n}` as DeviceId, keys: { a: 'x'.repeat(50_000) } });
    const facts = Array.from({ length: 7 }, (_, n): RemoteDeviceFact => ({
      type: 'remote-device-updated',
      data: large(6 + n),
    }));
    const list = after(LISTED, ...facts);
    const typesOf = (id: number, of: RemoteDevices): string[] =>
      decideDeviceUpdate(of, { update: large(id), previous: [12] }, true).map(({ type }) => type);
    expect(typesOf(13, list)).toEqual(['remote-device-updated']);
    const full = after(LISTED, ...facts, { type: 'remote-device-updated', data: large(13) });
    expect(typesOf(14, full)).toEqual(['remote-devices-missed']);
    // What takes the place of as much is no more than before.
    const { device_id } = large(13);
    const update = { ...large(14), device_id };
    expect(decideDeviceUpdate(full, { update, previous: [13] }, true)).toMatchObject([{ data: update }]);
    const keys = { master_key: { m: 'x'.repeat(50_000) } };
    expect(decideSigningKeyUpdate(list, keys)).toMatchObject([{ data: keys }]);
    expect(decideSigningKeyUpdate(full, keys)).toEqual([MISSED]);
  });
});

describe('a list that was told whole', () => {
  it('says how often something was missed while it was asked for', () => {
    const list = after(LISTED, MISSED, MISSED, MISSED);
    expect(decideListed(list, { stream_id: 9, devices: [] }, 1)).toMatchObject([{ data: { stream_id: 9, missed: 2 } }]);
    expect(decideListed(list, { stream_id: 9, devices: [] }, 3)[0]!.data).toEqual({ stream_id: 9, devices: [] });
    expect(after(LISTED, MISSED, LISTED).missed).toBeUndefined();
  });
});

describe('cross-signing keys of a user of another server', () => {
  it('are news where they are others, and nothing where no list is here or nothing is told', () => {
    const list = after(LISTED, { type: 'remote-signing-keys-updated', data: { master_key: { m: 1 } } });
    expect(decideSigningKeyUpdate(undefined, { master_key: { m: 1 } })).toEqual([]);
    expect(decideSigningKeyUpdate(list, { master_key: { m: 2 } })).toHaveLength(1);
    expect(decideSigningKeyUpdate(list, { self_signing_key: { s: 1 } })).toHaveLength(1);
    expect(decideSigningKeyUpdate(list, {})).toEqual([]);
  });

  it('say that what they have signed is to be asked for where they are told again', () => {
    const list = after(LISTED, { type: 'remote-signing-keys-updated', data: { master_key: { m: 1 } } });
    expect(decideSigningKeyUpdate(list, { master_key: { m: 1 } })).toEqual([MISSED]);
    expect(decideSigningKeyUpdate(evolveRemoteDevices(list, MISSED), { master_key: { m: 1 } })).toEqual([]);
    // In whatever order their parts come.
    const [one, other] = [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ] as const;
    const ordered = after(LISTED, { type: 'remote-signing-keys-updated', data: { master_key: one } });
    expect(decideSigningKeyUpdate(ordered, { master_key: other })).toEqual([MISSED]);
  });
});
