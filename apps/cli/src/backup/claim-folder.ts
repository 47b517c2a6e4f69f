import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CliFailure, EXIT } from '../failure.js';
import { messageOf } from '#kernel/message-of';
import type { Terminal } from '../terminal/terminal.js';

const PARTIAL = /^partial-(\d+)$/;
/** What a file system has in its root from the beginning. */
const NOTHING = 'lost+found';

/** A folder for a backup, and the one within it that the backup is written to: what is mounted there cannot be renamed. */
export interface ClaimedFolder {
  readonly partial: string;
  /** Whether it was not there before. */
  readonly isNew: boolean;
}

/**
 * Makes ready for a backup. What backups left there that did not come to their end is removed. Throws CliFailure where
 * something else is in the folder, or another backup is being made there.
 */
export function claimFolder(directory: string, terminal: Terminal): ClaimedFolder {
  try {
    const isNew = mkdirSync(directory, { recursive: true, mode: 0o700 }) !== undefined;
    const names = readdirSync(directory).filter((name) => name !== NOTHING);
    if (!names.every((name) => PARTIAL.test(name))) {
      throw new CliFailure(`${directory} is not empty: name a folder that is, or that is not there yet`, EXIT.found);
    }
    if (names.some(isBeingWritten)) throw new CliFailure(`another backup is being made in ${directory}`, EXIT.found);
    for (const name of names) {
      rmSync(join(directory, name), { recursive: true });
      terminal.note(`removed what a backup that was interrupted left in ${directory}`);
    }
    const partial = join(directory, `partial-${process.pid}`);
    mkdirSync(partial, { mode: 0o700 });
    return { partial, isNew };
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    throw new CliFailure(`the backup could not be made: ${messageOf(error)}`);
  }
}

function isBeingWritten(name: string): boolean {
  const pid = Number(PARTIAL.exec(name)?.[1]);
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process may not be asked, but is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
