import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { formatAccountDataRow } from '../projections/account-data-row.js';
import { listChangedAccountData } from './account-data.js';

const alice = '@alice:a.example' as UserId;

describe('account data that changed', () => {
  it('is told once, also where a crash has kept the row of an earlier change', async () => {
    const views = new MemoryReadModels();
    const change = JSON.stringify(['', 'm.direct']);
    const value = formatAccountDataRow({ position: positionOf(7), content: '{"now":true}' });
    await views.write([
      { collection: 'account-data-log', key: [alice, positionOf(5)], value: change },
      { collection: 'account-data-log', key: [alice, positionOf(7)], value: change },
      { collection: 'account-data', key: [alice, '', 'm.direct'], value },
    ]);
    const changed = (upTo: number) =>
      listChangedAccountData(views, alice, { after: positionOf(3), upTo: positionOf(upTo), limit: 10 });
    expect(await changed(9)).toEqual([
      { roomId: undefined, type: 'm.direct', position: positionOf(7), content: '{"now":true}' },
    ]);
    expect(await changed(6)).toEqual([]);
  });
});
