import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundleScript } from '#testing/start-script';

const WRITER = 'libs/event-store/src/lmdb/full-disk-writer.ts';
/** Runs a command where the folder named first is a disk of its own, of 8 MB. */
const ON_SMALL_DISK = 'mount --make-rprivate / && mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"';

function onSmallDisk(folder: string, ...command: string[]): { status: number | null; stdout: string } {
  return spawnSync('unshare', ['--mount', 'sh', '-c', ON_SMALL_DISK, folder, ...command], { encoding: 'utf8' });
}

/** Only root may mount one; where that cannot be, there is nothing to try. */
function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  return onSmallDisk(tmpdir(), 'true').status === 0;
}

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
