import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LastEnd } from './last-end.js';
import { reserveLockFile } from './reserve-lock-file.js';

/** What is in a file of LMDB. */
export type FileKind = 'log' | 'views';

/** With what the process that looks at a file ends once it has found something. */
export const FOUND_EXIT_CODE = 3;
/** What it says before it reads the file: where it ends before that, what ends it is lmdb, which does so now and then where the file cannot be opened. */
export const OPENED_MARK = '\n';

const PROGRAM = fileURLToPath(new URL('./find-damage-process.js', import.meta.url));
/** After one unclean end. A file that ends its reader again and again is looked at for longer each time. */
const FIRST_LOOK_MS = 2_000;
const LONGEST_LOOK_MS = 60_000;
/** How a process dies of what it reads; any other signal was sent to it. */
const CRASHES = new Set(['SIGBUS', 'SIGSEGV', 'SIGABRT', 'SIGILL', 'SIGFPE', 'SIGTRAP']);

/** A file of which nothing is known: it is looked at for as long as any. */
export const LONGEST_LOOK: LastEnd = { isClean: false, times: Infinity };

/**
 * Reads a file of LMDB that was not closed, or was changed since, in a process of its own: LMDB maps it into memory, and a
 * damaged page ends whoever reads it without a word. Answers what is wrong with it, in one line; undefined where nothing was
 * found in the time there is (two seconds at first), or where it cannot be found out. Throws where there is no room to open it.
 */
export function findDamage(
  directory: string,
  kind: FileKind,
  { isClean, times }: LastEnd,
  program = PROGRAM,
): string | undefined {
  if (isClean) return undefined;
  // Else that process would make it, and be ended for want of room.
  reserveLockFile(directory);
  const timeout = Math.min(FIRST_LOOK_MS * 4 ** Math.max(0, times - 1), LONGEST_LOOK_MS);
  const { status, signal, stdout } = spawnSync(process.execPath, [program, directory, kind], {
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout,
    killSignal: 'SIGKILL',
  });
  if (signal !== null && CRASHES.has(signal) && stdout.startsWith(OPENED_MARK))
    return `reading it ends the process that does so (${signal})`;
  return status === FOUND_EXIT_CODE ? stdout.trim() : undefined;
}
