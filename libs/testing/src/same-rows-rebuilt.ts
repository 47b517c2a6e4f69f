import { expect } from 'vitest';
import type { SyncApp } from './sync-app.js';

/** Makes the rows of some projections anew from the log, one after another, and expects them to be what they were. */
export async function expectSameRowsRebuilt(
  { views }: Pick<SyncApp, 'views'>,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    const rows = await views.operations.checksum(name);
    await views.operations.rebuild(name, { switchByHand: false, fromStart: false });
    await expect.poll(async () => (await views.operations.status(name)).next).toBeUndefined();
    expect([name, await views.operations.checksum(name)]).toEqual([name, rows]);
  }
}
