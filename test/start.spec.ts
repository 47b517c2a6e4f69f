import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const START = fileURLToPath(new URL('../apps/start.mjs', import.meta.url));
let root: string;
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'annals-start-'))));
afterEach(() => rmSync(root, { recursive: true }));

it('who asks for a program that is none leaves the lock to who builds meanwhile', () => {
  mkdirSync(join(root, 'apps'));
  copyFileSync(START, join(root, 'apps/start.mjs'));
  mkdirSync(join(root, 'dist/.building'), { recursive: true });
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'apps/start.mjs'), 'nothing'], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([1, 'annals: start what? homeserver, cli, bench\n']);
  expect(existsSync(join(root, 'dist/.building'))).toBe(true);
});

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
