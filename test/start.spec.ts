import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';

const START = fileURLToPath(new URL('../apps/start.mjs', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'annals-start-'));
afterEach(() => rmSync(root, { recursive: true }));

it.runIf(process.platform === 'linux')(
  'a program that must be built, and cannot be where it is, ends with one line',
  () => {
    mkdirSync(join(root, 'apps'));
    copyFileSync(START, join(root, 'apps/start.mjs'));
    writeFileSync(join(root, 'tsconfig.build.json'), '{}');
    // Not even root could write into this.
    symlinkSync('/proc/self', join(root, 'dist'));
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'apps/start.mjs'), 'homeserver'], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^annals: the program must be built, .*: E[A-Z]+.*mkdir.*\n$/);
  },
);
