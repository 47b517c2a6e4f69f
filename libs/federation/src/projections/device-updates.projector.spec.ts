import { describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { project, type StreamFact } from '#testing/project';
import { deviceUpdatesProjector } from './device-updates.projector.js';

const ALICE = '@alice:a.example';

const keysSet = (device: string): StreamFact => ({
  stream: `device-${ALICE}|${device}`,
  type: 'device-keys-set',
  data: { device_keys: {} },
});
const ofUser = (type: string, data: object): StreamFact => ({ stream: `user-${ALICE}`, type, data });
const removed = (...ids: string[]): StreamFact => ofUser('devices-removed', { device_ids: ids });
const renamed = (id: string): StreamFact => ofUser('device-renamed', { device_id: id, display_name: 'new' });
const signed = (...targets: string[]): StreamFact =>
  ofUser('signatures-added', { signatures: targets.map((target) => ({ user_id: ALICE, target })) });

/** The updates that are remembered, in their order. */
async function updates(...facts: StreamFact[]): Promise<{ devices: string[]; first: number; previous: number }[]> {
  const rows = await project(deviceUpdatesProjector, facts);
  const found = Object.entries(rows).filter(([key]) => key.startsWith('device-updates '));
  return found.map(([, row]) => row as { devices: string[]; first: number; previous: number });
}

describe('the numbers by which other servers are told of devices', () => {
  it('name the one before, with a number for each device, also of facts of the same time', async () => {
    const [one, two, three] = await updates(keysSet('A'), keysSet('B'), removed('A', 'B', 'C'));
    expect([one!.devices, two!.devices, three!.devices]).toEqual([['A'], ['B'], ['A', 'B']]);
    expect(two!.previous).toBe(one!.first);
    expect(three!.previous).toBe(two!.first);
    expect(three!.first).toBeGreaterThan(two!.first);
    const [, , , again] = await updates(keysSet('A'), keysSet('B'), removed('A', 'B', 'C'), keysSet('A'));
    expect(again!.previous).toBe(three!.first + 1);
  });

  it('are of signatures over devices, and not over a master key', async () => {
    const [, found, ...more] = await updates(keysSet('A'), signed('A', 'master'), signed('master'));
    expect(found!.devices).toEqual(['A']);
    expect(more).toEqual([]);
  });

  it('are of devices that have another name, and are the next ones', async () => {
    const [one, two, ...more] = await updates(keysSet('A'), renamed('A'), renamed('B'));
    expect(two).toMatchObject({ devices: ['A'], previous: one!.first });
    expect(more).toEqual([]);
  });

  it('are not of devices without keys', async () => {
    expect(await updates(removed('A'), signed('A'), renamed('A'))).toEqual([]);
  });

  it('name none of before a restoration of the log: what is lost may have others behind it', async () => {
    const restored: StreamFact = {
      stream: 'server',
      type: 'log-restored',
      data: { restore_id: 'cafe0000', agreed: '0' },
    };
    const [one, two, three] = await updates(keysSet('A'), restored, keysSet('A'), keysSet('A'));
    expect(two!.previous).toBeGreaterThan(one!.first);
    expect(two!.first).toBeGreaterThan(two!.previous);
    expect(three!.previous).toBe(two!.first);
  });

  it('are remembered of the last changes only', async () => {
    const all = await updates(...Array.from({ length: 40 }, (_, n) => keysSet(`D${n}`)));
    expect(all).toHaveLength(16);
    expect(all.at(-1)!.devices).toEqual(['D39']);
  });

  it('are others where they are made anew once the keys of a device have gone from the log, and only there', () => {
    const facts = [
      'device-keys-set',
      'one-time-keys-added',
      'devices-removed',
      'device-keys-ended',
      'device-keys-summed-up',
    ];
    const shown = facts.filter((type) => deviceUpdatesProjector.showsGone?.({ type } as RecordedFact));
    expect(shown).toEqual(['device-keys-ended', 'device-keys-summed-up']);
  });
});
