import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { erasureListIn, readErasureList } from './erasure-list.js';
import { Erasures } from './erasures.js';
import { ErasureListAway, ErasuresAgain } from './erasures-again.js';

let dataDir: string;
beforeEach(() => (dataDir = mkdtempSync(join(tmpdir(), 'erasures-'))));
afterEach(() => rmSync(dataDir, { recursive: true }));

test('the list is written once for all who were erased while it was written', async () => {
  let [loads, now] = [0, 0];
  class Counted extends Erasures {
    override load(): ReturnType<Erasures['load']> {
      loads++;
      return super.load();
    }
  }
  const erasures = new Counted(new MemoryEventStore(), { now: () => ++now });
  const again = new ErasuresAgain(erasures, { dataDir });
  const users = Array.from({ length: 50 }, (_, n) => `@user${n}:a.example` as UserId);
  await Promise.all(
    users.map(async (user) => {
      await erasures.noteAccount(user);
      await again.note();
      // Whoever has waited finds theirs there.
      expect(readErasureList(erasureListIn(dataDir)).map(({ user_id: id }) => id)).toContain(user);
    }),
  );
  expect(loads).toBeLessThan(users.length);
  expect(readErasureList(erasureListIn(dataDir))).toHaveLength(users.length);
});

test.runIf(process.platform === 'linux')(
  'a list that no disk has room for is waited for, and written once there is some',
  async () => {
    const erasures = new Erasures(new MemoryEventStore(), { now: () => 5 });
    const again = new ErasuresAgain(erasures, { dataDir });
    const [user, path] = ['@alice:a.example' as UserId, erasureListIn(dataDir)];
    symlinkSync('/dev/full', `${path}.partial`);
    const refused = await again.noteAccount(user).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ErasureListAway);
    expect(refused).toMatchObject({ status: 503, fields: { retry_after_ms: 5_000 } });
    rmSync(`${path}.partial`);
    expect([await again.note(), readErasureList(path)]).toEqual([1, [{ user_id: user, at: 5 }]]);
  },
);
