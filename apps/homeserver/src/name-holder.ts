import { readFileSync, statSync } from 'node:fs';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * A name for the one process that has the lock of a data folder: the same for the next one there, until the machine is started
 * again, and of no other folder, also where it is a copy. Undefined where the system does not tell.
 */
export function nameHolder(dataDir: string): string | undefined {
  try {
    const { dev, ino } = statSync(dataDir);
    return `${readFileSync(BOOT_ID, 'utf8').trim()} ${dev} ${ino}`;
  } catch {
    return undefined;
  }
}
