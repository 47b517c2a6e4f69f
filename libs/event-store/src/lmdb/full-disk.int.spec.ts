import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canMount, onSmallDisk } from '#testing/small-disk';
import { bundleScript } from '#testing/start-script';

const WRITER = 'libs/event-store/src/lmdb/full-disk-writer.ts';
describe.runIf(canMount())('a log on a disk that is full', () => {
  it('is away until there is room again: says so once, loses nothing of what it took, and goes on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-full-'));
    const script = await bundleScript(WRITER);
    try {
      const { stdout } = onSmallDisk(folder, process.execPath, script.path, folder);
      const away = 'EventStoreUnavailable';
      expect(JSON.parse(stdout)).toEqual({ errors: [away, away, away], said: ['lost', 'back'], isWhole: true });
    } finally {
      await script.remove();
      rmSync(folder, { recursive: true });
    }
  });
});
