import { randomBytes } from 'node:crypto';
import { readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What a process has made that was killed before it removed it: one that had the name of this one, as in a container, is gone, too. */
const LEFT = /^(?:data|lock)\.mdb\.(\d{1,9})(?:-[0-9a-f]{8})?$/;

/** What a process may make beside a file for a moment: whatever else is there has another name. */
export function draftBeside(file: string): string {
  return `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** Takes away what processes have left that are gone, as far as this one may. Who named something else so than a file has their reasons. */
export function removeLeft(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const pid = LEFT.exec(entry.name)?.[1];
    if (pid === undefined || !entry.isFile() || (Number(pid) !== process.pid && isThere(Number(pid)))) continue;
    try {
      unlinkSync(join(directory, entry.name));
    } catch {
      // Another process has taken it away, or another user left it: it is in nobody's way.
    }
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
