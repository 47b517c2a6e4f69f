import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canMount, onSmallDisk } from '#testing/small-disk';
import { bundleScript } from '#testing/start-script';

const WRITER = 'libs/media/src/store/files/full-disk-writer.ts';
const AWAY = 'StoreUnavailable';

describe.runIf(canMount())('media on a disk that is full', () => {
  it('are refused for now, and leave nothing there; that is said once, and they are taken once there is room again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-full-'));
    const script = await bundleScript(WRITER);
    try {
      const { stdout } = onSmallDisk(folder, process.execPath, script.path, folder);
      const kept = 3 * 1024 * 1024;
      expect(JSON.parse(stdout)).toEqual({ errors: [AWAY, AWAY], said: ['lost', 'back'], left: [], kept });
    } finally {
      await script.remove();
      rmSync(folder, { recursive: true });
    }
  });
});
