import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { canMount, onSmallDisk } from '#testing/small-disk';

it.runIf(canMount())(
  'a program goes on where a library prints something, and standard error is a file on a full disk',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-full-'));
    const start = fileURLToPath(new URL('../../../start.mjs', import.meta.url));
    // Once the program is about to be loaded.
    const say = "process.argv[1].endsWith('cli.js')&&console.error('said')";
    const prints = `--import=data:text/javascript,setInterval(()=>${say},1).unref()`;
    const run = 'dd if=/dev/zero of="$0/fill" bs=1M; exec "$1" "$2" "$3" cli --help 2>"$0/errors"';
    try {
      const { status, stdout } = onSmallDisk(folder, 'sh', '-c', run, folder, process.execPath, prints, start);
      expect([status, stdout]).toEqual([0, expect.stringContaining('Usage: annals')]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  120_000,
);
