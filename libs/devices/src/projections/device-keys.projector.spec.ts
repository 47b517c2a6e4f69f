import { describe, expect, it } from 'vitest';
import { project, type StreamFact } from '#testing/project';
import { deviceKeysProjector } from './device-keys.projector.js';

const ALICE = '@alice:a.example';
const after = { counts: { a: 1 }, unused_fallback: [], history: '' };
const uploaded = (createdTs: number, name: string): StreamFact => ({
  stream: `device-${ALICE}|D`,
  type: 'device-keys-set',
  data: { device_keys: { name }, created_ts: createdTs, after },
});
const claimed = (createdTs: number): StreamFact => ({
  stream: `device-${ALICE}|D`,
  type: 'one-time-keys-claimed',
  data: { claims: [], created_ts: createdTs, after: { ...after, counts: {} } },
});
const ended = (createdTs: number): StreamFact => ({
  stream: `device-${ALICE}|D`,
  type: 'device-keys-ended',
  data: { created_ts: createdTs },
});
const removed: StreamFact = { stream: `user-${ALICE}`, type: 'devices-removed', data: { device_ids: ['D', 'E'] } };

/** Whose keys there are, and how many. */
const keysOf = async (...facts: StreamFact[]): Promise<unknown> => {
  const rows = await project(deviceKeysProjector, facts);
  const keys = rows[`device-keys ${ALICE} D`] as { device_keys: { name: string } } | undefined;
  const counts = rows[`key-counts ${ALICE} D`] as { counts: object } | undefined;
  return [keys?.device_keys.name, counts?.counts];
};

describe('the keys of a device', () => {
  it('are those that it uploaded last, with the number that was left last', async () => {
    expect(await keysOf(uploaded(7, 'first'), uploaded(7, 'second'), claimed(7))).toEqual(['second', {}]);
  });

  it('are gone with it', async () => {
    expect(await keysOf(uploaded(7, 'first'), removed)).toEqual([undefined, undefined]);
    expect(await keysOf(uploaded(7, 'first'), removed, ended(7))).toEqual([undefined, undefined]);
  });

  it('are gone too where they were uploaded while it was removed, once they have ended', async () => {
    expect(await keysOf(removed, uploaded(7, 'late'))).toEqual(['late', { a: 1 }]);
    expect(await keysOf(removed, uploaded(7, 'late'), ended(7))).toEqual([undefined, undefined]);
    expect(await keysOf(removed, claimed(7), ended(7))).toEqual([undefined, undefined]);
  });

  it('are not gone with those of a former device of its name', async () => {
    expect(await keysOf(uploaded(7, 'former'), removed, uploaded(9, 'new'), ended(7))).toEqual(['new', { a: 1 }]);
  });
});
