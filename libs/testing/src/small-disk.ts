import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';

const ON_SMALL_DISK = 'mount --make-rprivate / && mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"';

/** Runs a command where a folder is a disk of its own, of 8 MB. */
export function onSmallDisk(folder: string, ...command: string[]): { status: number | null; stdout: string } {
  return spawnSync('unshare', ['--mount', 'sh', '-c', ON_SMALL_DISK, folder, ...command], { encoding: 'utf8' });
}

/** Only root may mount one; where that cannot be, there is nothing to try. */
export function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  return onSmallDisk(tmpdir(), 'true').status === 0;
}
