import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LogDamage } from './log-damage.js';

it.runIf(process.platform === 'linux')(
  'a file is not taken for deleted where the file system counts none of its names',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-names-'));
    const descriptor = openSync(join(folder, 'data.mdb'), 'w');
    rmSync(folder, { recursive: true });
    // It is there, and has no name that is counted.
    const damage = new LogDamage(() => {}, `/proc/self/fd/${descriptor}`);
    expect(damage.first).toBeUndefined();
    damage.checkFile();
    damage.close();
    closeSync(descriptor);
  },
);
