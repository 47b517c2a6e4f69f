import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canMount, onSmallDisk } from '#testing/small-disk';
import { bundleScript } from '#testing/start-script';

describe.runIf(canMount())('views on a disk that is full', () => {
  it('are away until there is room again: say so once, lose nothing of what they took, and go on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-full-'));
    const script = await bundleScript('libs/read-models/src/lmdb/full-disk-writer.ts');
    try {
      const { stdout } = onSmallDisk(folder, process.execPath, script.path, folder);
      const failure = 'ViewsUnavailable';
      const errors = [failure, failure, failure];
      expect(JSON.parse(stdout)).toEqual({ errors, failure, said: ['lost', 'back'], isWhole: true });
    } finally {
      await script.remove();
      rmSync(folder, { recursive: true });
    }
  });

  it('end no process that opens them, or a log, and are not taken for damaged: it is told why, and they open once there is room', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-full-'));
    const script = await bundleScript('libs/read-models/src/lmdb/full-disk-opener.ts');
    const damage = await bundleScript('libs/event-store/src/lmdb/find-damage-process.ts');
    try {
      const { status, stdout } = onSmallDisk(folder, process.execPath, script.path, folder, damage.path);
      expect(status).toBe(0);
      const noRoom = expect.stringMatching(/lock\.mdb cannot be made: ENOSPC/);
      const putBack = [noRoom, noRoom, 'opened', 'kept'];
      const noRoomForData = expect.stringMatching(/data\.mdb cannot be made: ENOSPC/);
      const lost = [noRoomForData, noRoomForData, 'opened', 'empty'];
      expect(JSON.parse(stdout)).toEqual([noRoom, noRoom, 'opened', 'empty', ...putBack, ...lost]);
    } finally {
      await script.remove();
      await damage.remove();
      rmSync(folder, { recursive: true });
    }
  });
});
