import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import type { Write } from '#read-models/read-model-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { ACCOUNT_DATA } from '../projections/account-data-row.js';
import { listAccountData, listChangedAccountData } from './account-data.js';

const alice = '@alice:a.example' as UserId;

describe('account data that changed', () => {
  it('is told once, also where a crash has kept the row of an earlier change', async () => {
    const views = new MemoryReadModels();
    const change = JSON.stringify(['', 'm.direct']);
    const value = ACCOUNT_DATA.codec.encode({ position: positionOf(7), content: '{"now":true}' });
    await views.write([
      { collection: 'account-data-log', key: [alice, positionOf(5)], value: change },
      { collection: 'account-data-log', key: [alice, positionOf(7)], value: change },
      { collection: 'account-data', key: [alice, '', 'm.direct'], value },
    ]);
    const changed = (upTo: number) =>
      listChangedAccountData(views, alice, { after: positionOf(3), upTo: positionOf(upTo) });
    expect(await changed(9)).toEqual([
      { roomId: undefined, type: 'm.direct', position: positionOf(7), content: '{"now":true}' },
    ]);
    expect(await changed(6)).toEqual([]);
  });

  it('is told whole, however much it is', async () => {
    const views = new MemoryReadModels();
    const writes: Write[] = [];
    for (let i = 1; i <= 12_000; i++) {
      const position = positionOf(i);
      const value = ACCOUNT_DATA.codec.encode({ position, content: '{}' });
      writes.push({ collection: 'account-data-log', key: [alice, position], value: JSON.stringify(['', `t${i}`]) });
      writes.push({ collection: 'account-data', key: [alice, '', `t${i}`], value });
    }
    await views.write(writes);
    const changed = await listChangedAccountData(views, alice, { after: START, upTo: positionOf(12_000) });
    expect(changed.at(-1)?.type).toBe('t12000');
    // And the push rules, which are always there.
    expect(await listAccountData(views, alice, undefined)).toHaveLength(12_001);
  });
});
